//go:build ignore

//  A zgossip actor of CZMQ driven from a test.
//
//      czmq_gossip hub ENDPOINT
//      czmq_gossip client ENDPOINT KEY VALUE
//
//  Prints "PORT n" (hub, tcp), "READY", then "DELIVER key value" for each tuple that the
//  actor tells. Lines on stdin: "PUBLISH key value" publishes, an empty
//  value being allowed. Ends with 0 on end of stdin, after 60 s, or on a
//  signal; any other status is a bug in what it was fed.

#include <czmq.h>
#include <poll.h>

static void
s_publish (zactor_t *gossip, char *line)
{
    line [strcspn (line, "\r\n")] = 0;
    char *key = strchr (line, ' ');
    if (!key || strncmp (line, "PUBLISH ", 8))
        return;
    *key++ = 0;
    char *value = strchr (key, ' ');
    if (value)
        *value++ = 0;
    zstr_sendx (gossip, "PUBLISH", key, value? value: "", NULL);
}

//  Tells what the actor delivered; false when the actor is gone

static bool
s_deliver (zactor_t *gossip)
{
    char *command = NULL, *key = NULL, *value = NULL;
    if (zstr_recvx (gossip, &command, &key, &value, NULL) < 1)
        return false;
    printf ("%s %s %s\n", command, key? key: "", value? value: "");
    zstr_free (&command);
    zstr_free (&key);
    zstr_free (&value);
    return true;
}

int
main (int argc, char *argv [])
{
    bool hub = argc == 3 && streq (argv [1], "hub");
    bool client = argc == 5 && streq (argv [1], "client");
    if (!hub && !client) {
        fprintf (stderr, "usage: %s hub ENDPOINT | client ENDPOINT KEY VALUE\n", argv [0]);
        return 2;
    }
    setvbuf (stdout, NULL, _IOLBF, 0);
    setvbuf (stdin, NULL, _IONBF, 0);

    zactor_t *gossip = zactor_new (zgossip, argv [1]);
    if (!gossip)
        return 1;
    if (getenv ("CZMQ_GOSSIP_VERBOSE"))
        zstr_send (gossip, "VERBOSE");
    if (hub) {
        zstr_sendx (gossip, "BIND", argv [2], NULL);
        zstr_sendx (gossip, "PORT", NULL);
        char *command = NULL, *port = NULL;
        zstr_recvx (gossip, &command, &port, NULL);
        printf ("PORT %s\n", port? port: "");
        zstr_free (&command);
        zstr_free (&port);
    }
    else {
        zstr_sendx (gossip, "CONNECT", argv [2], NULL);
        zstr_sendx (gossip, "PUBLISH", argv [3], argv [4], NULL);
    }
    puts ("READY");

    int64_t until = zclock_mono () + 60000;
    int input = STDIN_FILENO;
    zpoller_t *poller = zpoller_new (gossip, &input, NULL);
    while (zclock_mono () < until) {
        void *which = zpoller_wait (poller, 1000);
        if (which == gossip) {
            if (!s_deliver (gossip))
                break;
        }
        else
        if (which == &input) {
            char line [2048];
            if (!fgets (line, sizeof (line), stdin))
                break;
            s_publish (gossip, line);
        }
        else {
            //  A closed pipe is POLLHUP alone, which zpoller does not tell
            struct pollfd item = { .fd = input, .events = POLLIN };
            if (zpoller_terminated (poller)
            || (poll (&item, 1, 0) == 1 && !(item.revents & POLLIN)))
                break;
        }
    }
    zpoller_destroy (&poller);
    zactor_destroy (&gossip);
    return 0;
}
