/* The start of an executable whose program is compressed: puts its segments
 * where they belong and lets it begin as if the kernel had loaded it.
 *
 * There is no C library yet, nor may there be traces of one: the stack, the
 * auxiliary vector but for where the program's headers are, and `brk` are what
 * the program would have been given. */
#define _GNU_SOURCE
#include <elf.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <zstd.h>

#include "archive.h"
#include "image.h"

static long call(long number, long a, long b, long c, long d, long e, long f) {
#if defined __x86_64__
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined __aarch64__
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#endif
}

/* Starts a second thread, which runs whit_help() on the stack that ends at `top`
 * and sets `*alive` to 0 when it is over (clone(2), CLONE_CHILD_CLEARTID). */
long whit_clone(unsigned long flags, void *top, int *alive);

/* The words are chosen so that a length is easily kept right. */
#define DIE(text) die(text "\n", sizeof text)
static _Noreturn void die(const char *text, size_t size) {
    call(SYS_write, 2, (long)text, (long)size, 0, 0, 0);
    for (;;)
        call(SYS_exit_group, 127, 0, 0, 0, 0, 0);
}

enum { FUTEX_WAIT = 0 }; /* futex(2); <linux/futex.h> is not musl's */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static uintptr_t page_of(uintptr_t address) { return address & ~(uintptr_t)4095; }

enum { MOST_FRAMES = 128, CONTEXT = 256 << 10, STACK = 128 << 10 };

/* What two threads unpack. */
static struct {
    struct {
        char *bytes;
        const char *stored;
        size_t size, stored_size;
    } frame[MOST_FRAMES];
    unsigned count;
    atomic_uint next;
    atomic_bool failed;
} work;

/* Memory that is given back. */
static _Alignas(4096) struct {
    char own[CONTEXT], helper[CONTEXT], stack[STACK];
} room;

static void unpack_frames(void *context_room) {
    ZSTD_DCtx *context = ZSTD_initStaticDCtx(context_room, CONTEXT);
    if (!context)
        atomic_store(&work.failed, true);
    for (unsigned i; context && (i = atomic_fetch_add(&work.next, 1)) < work.count;) {
        char *bytes = work.frame[i].bytes;
        size_t size = work.frame[i].size;
        uintptr_t start = page_of((uintptr_t)bytes), end = page_of((uintptr_t)bytes + size);
        /* All of it is written to at once; an old kernel does so page by page. */
        call(SYS_madvise, (long)start, (long)(end - start), MADV_POPULATE_WRITE, 0, 0, 0);
        size_t got = ZSTD_decompressDCtx(context, bytes, size, work.frame[i].stored, work.frame[i].stored_size);
        if (got != size)
            atomic_store(&work.failed, true);
    }
}

__attribute__((used)) void whit_help(void) { unpack_frames(room.helper); }

/* Unpacks all frames. Where there may be no second thread, one does it. */
static void unpack_all(void) {
    static atomic_int alive = 1;
    bool is_helped = work.count > 1 &&
                     whit_clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                                    CLONE_CHILD_CLEARTID,
                                room.stack + STACK, (int *)&alive) > 0;
    unpack_frames(room.own);
    while (is_helped && atomic_load(&alive))
        call(SYS_futex, (long)&alive, FUTEX_WAIT, 1, 0, 0, 0);
    call(SYS_madvise, (long)&room, sizeof room, MADV_DONTNEED, 0, 0, 0);
    if (atomic_load(&work.failed))
        DIE("this executable: its program is damaged");
}

/* Makes the memory of a segment, and notes the frames that belong there. */
static void place(const struct whit_image *image, const struct whit_part *part) {
    uintptr_t start = page_of(part->address), end = page_of(part->address + part->memory + 4095);
    long got = call(SYS_mmap, (long)start, (long)(end - start), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (got != (long)start)
        DIE("this executable: no memory for its program");
    /* What is unpacked is written to as a whole, and two large pages are had
     * sooner than a thousand; not so the zeros behind it. */
    call(SYS_madvise, (long)start, (long)page_of(part->address + part->size - start), MADV_HUGEPAGE, 0, 0, 0);
    char *bytes = (char *)part->address;
    const char *stored = (const char *)image + part->offset, *stored_end = stored + part->stored;
    while (stored < stored_end) {
        size_t stored_size = ZSTD_findFrameCompressedSize(stored, (size_t)(stored_end - stored));
        size_t size = (size_t)ZSTD_getFrameContentSize(stored, (size_t)(stored_end - stored));
        /* What went wrong is told by numbers that are larger than any size. */
        if (work.count == MOST_FRAMES || stored_size > (size_t)(stored_end - stored) ||
            size > part->address + part->size - (uintptr_t)bytes)
            DIE("this executable: its program is damaged");
        work.frame[work.count].bytes = bytes;
        work.frame[work.count].stored = stored;
        work.frame[work.count].size = size;
        work.frame[work.count++].stored_size = stored_size;
        bytes += size;
        stored += stored_size;
    }
    if ((uintptr_t)bytes != part->address + part->size)
        DIE("this executable: its program is damaged");
}

static void protect(const struct whit_part *part) {
    uintptr_t start = page_of(part->address), end = page_of(part->address + part->memory + 4095);
    int protection = (part->flags & PF_R ? PROT_READ : 0) | (part->flags & PF_W ? PROT_WRITE : 0) |
                     (part->flags & PF_X ? PROT_EXEC : 0);
    if (call(SYS_mprotect, (long)start, (long)(end - start), protection, 0, 0, 0) != 0)
        DIE("this executable: the system forbids to unpack programs; build it with --single=fast");
}

/* Where the program begins. `stack` is as execve(2) left it. */
__attribute__((used)) uintptr_t whit_unpack(uintptr_t *stack) {
    uintptr_t *word = stack + 1 + stack[0] + 1;
    while (*word++)
        ;
    Elf64_auxv_t *vector = (Elf64_auxv_t *)word, *headers = NULL, *count = NULL, *entry = NULL;
    for (Elf64_auxv_t *item = vector; item->a_type != AT_NULL; item++) {
        headers = item->a_type == AT_PHDR ? item : headers;
        count = item->a_type == AT_PHNUM ? item : count;
        entry = item->a_type == AT_ENTRY ? item : entry;
    }
    const struct whit_header *archive = NULL;
    for (size_t i = 0; headers && count && i < count->a_un.a_val; i++) {
        const Elf64_Phdr *header = (const Elf64_Phdr *)headers->a_un.a_val + i;
        if (header->p_type == PT_LOAD)
            archive = (const struct whit_header *)header->p_vaddr;
    }
    if (!archive || *(const uint64_t *)archive->magic != *(const uint64_t *)WHIT_MAGIC)
        DIE("this executable: its archive is missing");
    /* The image lies on the first page behind the archive. */
    const struct whit_image *image =
        (const struct whit_image *)((const char *)archive + page_of(archive->size + 4095));
    if (image->magic != WHIT_IMAGE || !entry)
        DIE("this executable: its program is missing");
    for (uint32_t i = 0; i < image->parts; i++)
        place(image, &image->part[i]);
    unpack_all();
    for (uint32_t i = 0; i < image->parts; i++)
        protect(&image->part[i]);
    headers->a_un.a_val = image->headers;
    count->a_un.a_val = image->header_count;
    entry->a_un.a_val = image->entry;
    return image->entry;
}

/* The packer turns the header of this note into that of the archive's segment. */
__asm__(".pushsection .note.whit, \"a\", %note\n"
        ".balign 4\n.long 5, 4, 1\n.asciz \"whit\"\n.balign 4\n.long 0\n"
        ".popsection\n");

#if defined __x86_64__
__asm__(".globl _start\n_start:\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rbx\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call whit_unpack\n"
        "    mov %rbx, %rsp\n"
        "    xor %edx, %edx\n" /* nothing to call at exit (psABI, 3.4.1) */
        "    jmp *%rax\n"
        ".globl whit_clone\nwhit_clone:\n"
        "    mov %rdx, %r10\n"
        "    xor %edx, %edx\n"
        "    xor %r8d, %r8d\n"
        "    mov $56, %eax\n"
        "    syscall\n"
        "    test %rax, %rax\n"
        "    jz 1f\n"
        "    ret\n"
        "1:  xor %ebp, %ebp\n"
        "    call whit_help\n"
        "    xor %edi, %edi\n"
        "    mov $60, %eax\n" /* exit(2), of this thread */
        "    syscall\n");
#elif defined __aarch64__
__asm__(".globl _start\n_start:\n"
        "    mov x29, #0\n"
        "    mov x30, #0\n"
        "    mov x0, sp\n"
        "    bl whit_unpack\n"
        "    mov x16, x0\n"
        "    mov x0, #0\n"
        "    br x16\n"
        ".globl whit_clone\nwhit_clone:\n"
        "    mov x4, x2\n"
        "    mov x2, #0\n"
        "    mov x3, #0\n"
        "    mov x8, #220\n"
        "    svc 0\n"
        "    cbz x0, 1f\n"
        "    ret\n"
        "1:  mov x29, #0\n"
        "    bl whit_help\n"
        "    mov x0, #0\n"
        "    mov x8, #93\n" /* exit(2), of this thread */
        "    svc 0\n");
#endif
