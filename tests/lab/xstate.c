/* Lets user-mode Linux 6.1 run on processors whose extended state is larger than it knows of (AMX:
 * Sapphire Rapids and later).  It hands 2696 bytes of it to ptrace(PTRACE_SETREGSET); the kernel
 * accepts nothing less than the whole, so the first process there would die.  Preloaded by uml.py,
 * this puts the missing part behind it: features that nobody in there has asked for, in
 * their initial state.
 *
 * The layout is the standard form of XSAVE (Intel SDM volume 1, 13.4). */
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#define XSTATE_BV    512        /* offset of the features that are not in their initial state */
#define AMX_FEATURES (3U << 17) /* XTILECFG, XTILEDATA */

typedef long ptrace_fn(int request, pid_t pid, void *address, void *data);
static ptrace_fn *next;

/* Not on the stack: that of the kernel in there is small. */
static unsigned char whole[65536] __attribute__((aligned(64)));

__attribute__((constructor)) static void find_next(void)
{
    *(void **)&next = dlsym(RTLD_NEXT, "ptrace");
}

static long set_all(pid_t pid, void *address, const struct iovec *given)
{
    struct iovec all = {.iov_base = whole, .iov_len = sizeof whole};
    const long got = next(PTRACE_GETREGSET, pid, address, &all);
    if (got < 0 || all.iov_len <= given->iov_len)
        return next(PTRACE_SETREGSET, pid, address, (void *)given);
    memset(whole + given->iov_len, 0, all.iov_len - given->iov_len);
    memcpy(whole, given->iov_base, given->iov_len);
    uint64_t features;
    memcpy(&features, whole + XSTATE_BV, sizeof features);
    features &= ~(uint64_t)AMX_FEATURES;
    memcpy(whole + XSTATE_BV, &features, sizeof features);
    return next(PTRACE_SETREGSET, pid, address, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list words;
    va_start(words, request);
    const pid_t pid = va_arg(words, pid_t);
    void *address = va_arg(words, void *);
    void *data = va_arg(words, void *);
    va_end(words);
    if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE)
        return set_all(pid, address, data);
    return next((int)request, pid, address, data);
}
