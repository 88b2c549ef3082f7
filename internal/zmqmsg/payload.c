#include "zmqmsg.h"
#include "payload.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

// Fresh memory costs more than to copy into it, for the system clears it page by page. So
// memory that was sent is used again: the pool keeps as much as is in use, and a little.
enum { smallest_bits = 10, sizes = 22, classes = 4 * sizes, always_pooled = 1 << 20 };

// A stack for each class of sizes. Any thread pushes, and who has set popping pops: so
// nobody takes away, and brings back, the element that is about to be popped. Nobody waits
// for it either.
static _Atomic(zyre_payload *) pool[classes];
static atomic_flag popping = ATOMIC_FLAG_INIT;
static atomic_size_t used, pooled;

// Sizes are rounded up to quarters of a power of two: at most a fifth is wasted.
static int class_of(size_t size, size_t *capacity) {
    int bits = smallest_bits;
    while (bits < smallest_bits + sizes && size > (size_t)2 << bits) bits++;
    *capacity = size;
    if (bits == smallest_bits + sizes) return -1;
    size_t quarter = (size_t)1 << (bits - 2);
    size_t quarters = size > 5 * quarter ? (size + quarter - 1) / quarter : 5;
    *capacity = quarters * quarter;
    return 4 * (bits - smallest_bits) + (int)quarters - 5;
}

static zyre_payload *pop(int class) {
    zyre_payload *p = atomic_load(&pool[class]);
    while (p && !atomic_compare_exchange_weak(&pool[class], &p, p->next)) {}
    if (p) atomic_fetch_sub(&pooled, p->capacity);
    return p;
}

// trim frees what is pooled beyond what is in use, the largest first.
static void trim(void) {
    if (atomic_flag_test_and_set(&popping)) return;
    for (int class = classes - 1; class >= 0; class--) {
        zyre_payload *p;
        while (atomic_load(&pooled) > atomic_load(&used) + always_pooled && (p = pop(class))) free(p);
    }
    atomic_flag_clear(&popping);
}

// give_back is called when the last reference has gone, by whatever thread had it.
static void give_back(void *data, void *hint) {
    (void)data;
    zyre_payload *p = hint;
    size_t left = atomic_fetch_sub(&used, p->capacity) - p->capacity;
    if (p->class < 0) {
        free(p);
        return;
    }
    size_t waiting = atomic_fetch_add(&pooled, p->capacity) + p->capacity;
    p->next = atomic_load(&pool[p->class]);
    while (!atomic_compare_exchange_weak(&pool[p->class], &p->next, p)) {}
    if (waiting > left + always_pooled) trim();
}

zyre_payload *zyre_payload_get(size_t size) {
    size_t capacity;
    int class = class_of(size, &capacity);
    zyre_payload *p = NULL;
    if (class >= 0 && !atomic_flag_test_and_set(&popping)) {
        p = pop(class);
        atomic_flag_clear(&popping);
    }
    if (!p && !(p = malloc(sizeof *p + capacity))) return NULL;
    p->class = class;
    p->capacity = capacity;
    p->data = (char *)(p + 1);
    if (zmq_msg_init_data(&p->msg, p->data, size, give_back, p)) {
        free(p);
        return NULL;
    }
    atomic_fetch_add(&used, capacity);
    return p;
}

void zyre_payload_put(zyre_payload *p) {
    zmq_msg_t last; // p->msg may be gone before zmq_msg_close returns
    zmq_msg_init(&last);
    zmq_msg_move(&last, &p->msg);
    zmq_msg_close(&last);
}

static int try_payload(zyre_socket *soc, zyre_payload *p) {
    zmq_msg_t copy;
    int rc;
    zmq_msg_init(&copy);
    zmq_msg_copy(&copy, &p->msg);
    do rc = zmq_msg_send(&copy, soc, ZMQ_DONTWAIT);
    while (rc < 0 && zmq_errno() == EINTR);
    if (rc >= 0) return 0;
    int err = zmq_errno();
    zmq_msg_close(&copy);
    return err;
}

int zyre_payload_send(zyre_socket *soc, const char *header, size_t header_size, zyre_payload *p) {
    int err = zyre_part(soc, header, header_size, 1, 1);
    return err ? err : try_payload(soc, p);
}

void zyre_payload_bytes(size_t *in_use, size_t *in_pool) {
    *in_use = atomic_load(&used);
    *in_pool = atomic_load(&pooled);
}
