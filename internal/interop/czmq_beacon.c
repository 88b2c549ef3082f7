//  A beacon of CZMQ's zbeacon, to see that ours and the original hear each other.
//
//  Usage: czmq_beacon PORT INTERFACE HEX [IPV6]
//
//  Publishes the datagram given in hexadecimal every 100 ms, prints "ADDRESS a"
//  once and "HEARD source hex" for each beacon that starts with "ZRE", until its
//  standard input ends.

#include <czmq.h>
#include <poll.h>

//  Tells whether standard input has come to its end.
static bool
s_input_ended (void)
{
    struct pollfd in = { .fd = 0, .events = POLLIN };
    char byte;
    return poll (&in, 1, 0) > 0 && read (0, &byte, 1) <= 0;
}

static size_t
s_parse_hex (const char *hex, byte *data, size_t max)
{
    size_t size = 0;
    unsigned int value;
    while (size < max && sscanf (hex + 2 * size, "%2x", &value) == 1)
        data [size++] = (byte) value;
    return size;
}

int
main (int argc, char *argv [])
{
    if (argc < 4) {
        fprintf (stderr, "usage: %s PORT INTERFACE HEX [IPV6]\n", argv [0]);
        return 2;
    }
    byte data [255];
    size_t size = s_parse_hex (argv [3], data, sizeof data);

    setvbuf (stdout, NULL, _IOLBF, 0);
    zsys_set_interface (argv [2]);
    if (argc > 4)
        zsys_set_ipv6 (1);

    zactor_t *beacon = zactor_new (zbeacon, NULL);
    if (!beacon)
        return 1;
    zsock_send (beacon, "si", "CONFIGURE", atoi (argv [1]));
    char *address = zstr_recv (beacon);
    printf ("ADDRESS %s\n", address ? address : "");
    zstr_free (&address);
    zsock_send (beacon, "sbi", "PUBLISH", data, size, 100);
    zsock_send (beacon, "sb", "SUBSCRIBE", "ZRE", (size_t) 3);

    zsock_set_rcvtimeo (beacon, 50);
    while (!s_input_ended () && !zsys_interrupted) {
        char *source = NULL;
        zframe_t *frame = NULL;
        if (zsock_recv (beacon, "sf", &source, &frame) == 0 && frame) {
            char *hex = zframe_strhex (frame);
            printf ("HEARD %s %s\n", source, hex);
            zstr_free (&hex);
        }
        zstr_free (&source);
        zframe_destroy (&frame);
    }
    zactor_destroy (&beacon);
    return 0;
}
