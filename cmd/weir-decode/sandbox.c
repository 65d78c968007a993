#include "sandbox.h"
#include "wire.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

static void limit(int what, rlim_t value, const char *name)
{
	struct rlimit l = {value, value};
	if (setrlimit(what, &l) != 0)
		die("limit %s: %s", name, strerror(errno));
}

#ifdef OWN_ARCH

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOW(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW)
#define KILL(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS)
/* Memory may be mapped and protected, but never be executable. The low word of
 * the third argument has the protection. */
#define ALLOW_NOEXEC(name)                                                                                             \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD(args[2]),                                         \
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS),                   \
	    RETURN(SECCOMP_RET_ALLOW)

/* What is on neither list fails with EPERM: a library that looks for a file of
 * /proc goes on without it. */
static int filter(void)
{
	struct sock_filter code[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
#ifdef __x86_64__
		/* The x32 numbers, which would slip past the list. */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS),
#endif
		ALLOW(read),
		ALLOW(write),
		ALLOW(writev),
		ALLOW(clock_gettime),
		ALLOW(futex),
		ALLOW(madvise),
		ALLOW(munmap),
		ALLOW(mremap),
		ALLOW(brk),
		ALLOW_NOEXEC(mmap),
		ALLOW_NOEXEC(mprotect),
		ALLOW(gettimeofday),
		ALLOW(getrandom),
		ALLOW(getrusage),
		ALLOW(sched_getaffinity),
		ALLOW(sched_yield),
		ALLOW(rt_sigreturn),
		ALLOW(rt_sigprocmask),
		ALLOW(restart_syscall),
		ALLOW(getpid),
		ALLOW(gettid),
		ALLOW(tgkill), /* abort */
		ALLOW(exit),
		ALLOW(exit_group),
		KILL(execve),
		KILL(execveat),
		KILL(ptrace),
		KILL(socket),
		KILL(process_vm_readv),
		KILL(process_vm_writev),
		RETURN(SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = {sizeof code / sizeof code[0], code};
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
#else
static int filter(void) { return 0; }
#endif

/* close_others closes what the parent left open beside stdin, stdout, stderr. */
static void close_others(void)
{
#ifdef __NR_close_range
	if (syscall(__NR_close_range, 3u, ~0u, 0u) == 0)
		return;
#endif
	for (int fd = 3; fd < 4096; fd++)
		close(fd);
}

int confine(unsigned long megabytes, long parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		die("ask to die with the parent: %s", strerror(errno));
	if (parent > 0 && getppid() != parent)
		die("the parent is gone already");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		die("give up new privileges: %s", strerror(errno));
	close_others();
	limit(RLIMIT_CORE, 0, "core dumps");
	limit(RLIMIT_FSIZE, 0, "files");
	limit(RLIMIT_NOFILE, 3, "open files"); /* stdin, stdout, stderr */
	if (megabytes > 0)
		limit(RLIMIT_AS, (rlim_t)megabytes << 20, "memory");
	return filter();
}
