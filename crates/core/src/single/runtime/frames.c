/* Unpacking what zstd compressed: of a large library two processors unpack
 * every other frame. */
#define _GNU_SOURCE
#include "frames.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <zstd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Bytes above which content is stored as several frames. */
enum { SEVERAL = 1 << 20, STACK = 256 << 10 };

struct frames {
    pthread_mutex_t lock;
    const char *stored, *stored_end;
    char *bytes, *end;
    bool failed;
};

/* One of the threads. Memory is allocated by the caller alone: with a thread's
 * first allocation the C library would set up a heap for it. */
struct worker {
    struct frames *frames;
    ZSTD_DCtx *context;
};

struct frame {
    const char *stored;
    char *bytes;
    size_t stored_size, size;
};

/* The next frame that nobody unpacks yet. */
static bool take(struct frames *frames, struct frame *frame) {
    pthread_mutex_lock(&frames->lock);
    size_t left = (size_t)(frames->stored_end - frames->stored);
    bool taken = left > 0 && !frames->failed;
    if (taken) {
        *frame = (struct frame){
            .stored = frames->stored,
            .bytes = frames->bytes,
            .stored_size = ZSTD_findFrameCompressedSize(frames->stored, left),
            .size = (size_t)ZSTD_getFrameContentSize(frames->stored, left),
        };
        /* An unknown size is a very large one. */
        taken = !ZSTD_isError(frame->stored_size) && frame->size <= (size_t)(frames->end - frames->bytes);
        frames->failed = !taken;
    }
    if (taken) {
        frames->stored += frame->stored_size;
        frames->bytes += frame->size;
    }
    pthread_mutex_unlock(&frames->lock);
    return taken;
}

static void *unpack_frames(void *argument) {
    struct worker *worker = argument;
    struct frame frame;
    while (take(worker->frames, &frame)) {
        /* All of it is written to at once; an old kernel does so page by page. */
        madvise(frame.bytes, frame.size, MADV_POPULATE_WRITE);
        size_t got =
            ZSTD_decompressDCtx(worker->context, frame.bytes, frame.size, frame.stored, frame.stored_size);
        if (ZSTD_isError(got) || got != frame.size) {
            pthread_mutex_lock(&worker->frames->lock);
            worker->frames->failed = true;
            pthread_mutex_unlock(&worker->frames->lock);
        }
    }
    return NULL;
}

/* A thread that handles no signals: the app knows nothing of it. */
static bool start(pthread_t *thread, struct worker *worker) {
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(thread, &attributes, unpack_frames, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

bool whit_unpack_frames(char *bytes, size_t size, const char *stored, size_t stored_size) {
    struct frames frames = {PTHREAD_MUTEX_INITIALIZER, stored, stored + stored_size, bytes, bytes + size, false};
    struct worker own = {&frames, ZSTD_createDCtx()};
    struct worker helper = {&frames, size > SEVERAL ? ZSTD_createDCtx() : NULL};
    pthread_t thread;
    bool is_helped = own.context && helper.context && start(&thread, &helper);
    if (own.context)
        unpack_frames(&own);
    if (is_helped)
        pthread_join(thread, NULL);
    ZSTD_freeDCtx(own.context);
    ZSTD_freeDCtx(helper.context);
    return !frames.failed && frames.bytes == frames.end && frames.stored == frames.stored_end;
}
