//  Certificates of CZMQ's zcert, to see that ours and the original read each other's.
//
//  Usage: czmq_cert save PATH [NAME VALUE]...
//         czmq_cert load PATH
//         czmq_cert find DIRECTORY KEY...
//
//  "save" makes a certificate with this metadata, saves it and prints what "load" does:
//  "PUBLIC key", "SECRET key" and a line "META name=value" for each of the metadata.
//  "find" prints "FOUND key" or "MISSING key" for each public key, by zcertstore.

#include <czmq.h>

static void
s_print (zcert_t *cert)
{
    printf ("PUBLIC %s\n", zcert_public_txt (cert));
    printf ("SECRET %s\n", zcert_secret_txt (cert));
    zlist_t *names = zcert_meta_keys (cert);
    char *name = (char *) zlist_first (names);
    for (; name; name = (char *) zlist_next (names))
        printf ("META %s=%s\n", name, zcert_meta (cert, name));
    zlist_destroy (&names);
}

int
main (int argc, char *argv [])
{
    if (argc < 3) {
        fprintf (stderr, "usage: %s save|load|find PATH ...\n", argv [0]);
        return 2;
    }
    if (streq (argv [1], "find")) {
        zcertstore_t *store = zcertstore_new (argv [2]);
        int i;
        for (i = 3; i < argc; i++)
            printf ("%s %s\n", zcertstore_lookup (store, argv [i]) ? "FOUND" : "MISSING", argv [i]);
        zcertstore_destroy (&store);
        return 0;
    }
    zcert_t *cert;
    if (streq (argv [1], "save")) {
        cert = zcert_new ();
        int i;
        for (i = 3; cert && i + 1 < argc; i += 2)
            zcert_set_meta (cert, argv [i], "%s", argv [i + 1]);
        if (!cert || zcert_save (cert, argv [2]) != 0)
            return 1;
    }
    else
        cert = zcert_load (argv [2]);
    if (!cert)
        return 1;
    s_print (cert);
    zcert_destroy (&cert);
    return 0;
}
