// A payload is memory for the content of a message, which libzmq sends from where it is.
// Once nothing refers to it any more it goes back to the pool.
typedef struct zyre_payload {
    struct zyre_payload *next; // in the pool
    int class;                 // of its size; -1 if the pool has none for it
    size_t capacity;
    zmq_msg_t msg; // refers to data, as do its copies
    char *data;    // follows
} zyre_payload;

// zyre_payload_get returns a payload of a size that is to be filled, or NULL.
zyre_payload *zyre_payload_get(size_t size);

// zyre_payload_put gives up the reference that zyre_payload_get returned.
void zyre_payload_put(zyre_payload *p);

// zyre_payload_send queues a header and a payload, and returns 0 or an error number.
int zyre_payload_send(zyre_socket *soc, const char *header, size_t header_size, zyre_payload *p);

// zyre_payload_bytes tells how many bytes are in use, and how many wait in the pool.
void zyre_payload_bytes(size_t *used, size_t *pooled);
