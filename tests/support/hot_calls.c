// SPDX-License-Identifier: Apache-2.0
//
// Counts, for each thread of a program, how often it allocates and how often it takes a lock. Loaded in front of libc:
//
//   cc -shared -fPIC -O2 -D_GNU_SOURCE -o hot_calls.so hot_calls.c
//   HOT_CALLS_FILE=counts LD_PRELOAD=./hot_calls.so PROGRAM
//
// The file becomes a table that can be read while the program runs: THREADS_MAX rows of three 64-bit numbers: thread id (0:
// unused), allocations, locks. Not for programs under a sanitizer, which have an allocator of their own.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { THREADS_MAX = 256 };

typedef struct row {
    _Atomic uint64_t thread;
    _Atomic uint64_t allocations;
    _Atomic uint64_t locks;
} row;

static row unseen; // before the table is there, and for threads beyond it
static row *_Atomic table;
static atomic_uint used;
static _Thread_local row *own;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

__attribute__((constructor)) static void open_table(void)
{
    const char *path = getenv("HOT_CALLS_FILE");
    int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || ftruncate(fd, THREADS_MAX * (off_t)sizeof(row)) != 0) {
        return;
    }
    void *at = mmap(NULL, THREADS_MAX * sizeof(row), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (at != MAP_FAILED) {
        atomic_store(&table, at);
    }
}

static row *counts(void)
{
    row *all = atomic_load(&table);
    if (own == NULL && all != NULL) {
        unsigned index = atomic_fetch_add(&used, 1);
        own = index < THREADS_MAX ? &all[index] : &unseen;
        own->thread = (uint64_t)gettid();
    }
    return own != NULL ? own : &unseen;
}

void *malloc(size_t size)
{
    counts()->allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    counts()->allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    counts()->allocations++;
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    counts()->allocations++;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    counts()->allocations++;
    void *at = __libc_memalign(alignment, size);
    *ret = at != NULL ? at : *ret;
    return at != NULL ? 0 : 12; // ENOMEM
}

// Each finds the real function when it is first called; finding it twice does no harm.
#define COUNTED_LOCK(name, type)                                                                                       \
    int name(type *lock)                                                                                               \
    {                                                                                                                  \
        static int (*_Atomic real)(type *);                                                                            \
        int (*call)(type *) = atomic_load(&real);                                                                      \
        if (call == NULL) {                                                                                            \
            call = (int (*)(type *))dlsym(RTLD_NEXT, #name);                                                           \
            atomic_store(&real, call);                                                                                 \
        }                                                                                                              \
        counts()->locks++;                                                                                             \
        return call(lock);                                                                                             \
    }

COUNTED_LOCK(pthread_mutex_lock, pthread_mutex_t)
COUNTED_LOCK(pthread_mutex_trylock, pthread_mutex_t)
COUNTED_LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
COUNTED_LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
COUNTED_LOCK(pthread_spin_lock, pthread_spinlock_t)
COUNTED_LOCK(pthread_cond_signal, pthread_cond_t)
COUNTED_LOCK(pthread_cond_broadcast, pthread_cond_t)
