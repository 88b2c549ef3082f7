#include <stddef.h>
#include <zmq.h>

#if ZMQ_VERSION < ZMQ_MAKE_VERSION(4, 2, 0)
#error "zyre: install libzmq 4.2 or later with its headers"
#endif

// A socket of libzmq. It and the frames have types without pointers in them because cgo
// looks up where a void * points at each call.
typedef char zyre_socket;

// A batch holds frames until the next call of zyre_fill.
enum { zyre_batch_frames = 64, zyre_batch_bytes = 1 << 16 };

// The connection that brought a frame of so many bytes is asked for in any case.
enum { zyre_asked_frame = 1 << 10 };

typedef struct {
    void *data;
    size_t size;
    const char *user;    // who sent it, in the second frame of a message under CURVE
    const char *address; // of the host it came from, in the second frame of a HELLO, or of all
    int more;            // another frame of the same message follows
    int source;          // the descriptor of the connection that brought it; -1 if that of the frame before
} zyre_frame;

typedef struct {
    int count;    // frames
    int messages; // that end in this batch
    int err;      // why there are no more frames; 0 if the batch is full
    int inside;   // frames of the present message so far
    int told;     // the last second frame of a message of which libzmq told the source; 0 if there is none
    zyre_frame frame[zyre_batch_frames];
    zmq_msg_t msg[zyre_batch_frames];
} zyre_batch;

// zyre_fill replaces what is in the batch by what can be received at once: one
// message, or as many as fit. users asks for the User-Id of each, addresses for the
// Peer-Address, which is told of a HELLO in any case.
void zyre_fill(zyre_socket *soc, zyre_batch *b, int one, int users, int addresses);

// zyre_free closes the messages of a batch and frees it.
void zyre_free(zyre_batch *b);

// zyre_part queues one frame and returns 0 or an error number.
int zyre_part(zyre_socket *soc, const char *data, size_t size, int first, int more);

// zyre_send queues a header and, unless frames is 0, one frame.
int zyre_send(zyre_socket *soc, const char *header, size_t header_size, const char *frame,
              size_t size, int frames);

// zyre_memory tells how many bytes of memory this process has allocated in C, without large
// blocks; 0 if the C library does not tell.
size_t zyre_memory(void);
