//! The seccomp filter of a sandbox.
//!
//! Every sandbox gets the guard: what container engines refuse to a program
//! without privileges (new namespaces, mounts, keys, `io_uring`, ...) is refused
//! here with the same errors, watched or not, so that two runs differ in nothing
//! else. A watched one notifies of the calls in [`crate::calls`] too.

use libc::sock_filter;

use crate::calls::{Act, CALLS, NO, Table};

/// What the filter lets the supervisor hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hearing {
    /// Calls that name files.
    pub paths: bool,
    /// Calls that change owners and users: they cannot succeed where the
    /// sandbox has a single user, and are answered instead.
    pub users: bool,
}

impl Hearing {
    pub fn anything(self) -> bool {
        self.paths || self.users
    }
}

/// Numbers of a call that is refused: x86-64, i386, arm64.
type Numbers = [u32; 3];

/// Calls for privileged programs only.
#[rustfmt::skip]
const FORBIDDEN: &[Numbers] = &[
    [308, 346, 268], // setns
    [165, 21, 40],   // mount
    [166, 52, 39],   // umount2
    [NO, 22, NO],    // umount
    [155, 217, 41],  // pivot_root
    [428, 428, 428], // open_tree
    [429, 429, 429], // move_mount
    [430, 430, 430], // fsopen
    [431, 431, 431], // fsconfig
    [432, 432, 432], // fsmount
    [433, 433, 433], // fspick
    [442, 442, 442], // mount_setattr
    [304, 342, 265], // open_by_handle_at
    [248, 286, 217], // add_key
    [249, 287, 218], // request_key
    [250, 288, 219], // keyctl
    [321, 357, 280], // bpf
    [298, 336, 241], // perf_event_open
    [323, 374, 282], // userfaultfd
];

/// Calls that are answered as if the kernel did not know them: programs have a
/// second way then. The flags of `clone3` are out of a filter's reach;
/// `io_uring` would open files unseen.
#[rustfmt::skip]
const UNKNOWN: &[Numbers] = &[
    [435, 435, 435], // clone3
    [425, 425, 425], // io_uring_setup
];

/// Calls whose first argument must not ask for a new namespace.
#[rustfmt::skip]
const NAMESPACES: &[Numbers] = &[
    [56, 120, 220],  // clone
    [272, 310, 97],  // unshare
];

const NAMESPACE_FLAGS: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const NOTIFY: u32 = libc::SECCOMP_RET_USER_NOTIF;

const fn fail(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno as u32
}

/// Set in the number of every call of the x32 table.
const X32: u32 = 0x4000_0000;

// Offsets in `struct seccomp_data`; the low half of an argument comes first
// (all machines here are little-endian).
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const fn argument(n: u8) -> u32 {
    16 + 8 * n as u32
}

const fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

const fn give(verdict: u32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, verdict)
}

const fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    }
}

/// Skips `jt` instructions if the test holds, else `jf`.
const fn jump(test: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: (libc::BPF_JMP | test | libc::BPF_K) as u16,
        jt,
        jf,
        k,
    }
}

/// Builds the filter.
pub(crate) fn build(hearing: Hearing) -> Vec<sock_filter> {
    let mut filter = vec![load(ARCH)];
    let mut rest = Vec::new();
    let tables = [Some(Table::NATIVE), Table::SECOND];
    for table in tables.into_iter().flatten() {
        let rules = rules(table, hearing);
        // Past the rules if they are another machine's.
        rest.push(jump(libc::BPF_JEQ, table.audit(), 1, 0));
        rest.push(statement(libc::BPF_JMP | libc::BPF_JA, rules.len() as u32));
        rest.extend(rules);
    }
    filter.extend(rest);
    filter.push(give(fail(libc::ENOSYS)));
    filter
}

/// The rules for one table; each way through them ends in a verdict.
fn rules(table: Table, hearing: Hearing) -> Vec<sock_filter> {
    let mut rules = vec![load(NUMBER)];
    if table == Table::X86_64 {
        rules.push(jump(libc::BPF_JGE, X32, 0, 1));
        rules.push(give(fail(libc::ENOSYS)));
    }
    let mut when = |numbers: Numbers, then: &[sock_filter]| {
        let number = numbers[table as usize];
        if number != NO {
            rules.push(jump(libc::BPF_JEQ, number, 0, then.len() as u8));
            rules.extend_from_slice(then);
        }
    };
    for numbers in FORBIDDEN {
        when(*numbers, &[give(fail(libc::EPERM))]);
    }
    for numbers in UNKNOWN {
        when(*numbers, &[give(fail(libc::ENOSYS))]);
    }
    for numbers in NAMESPACES {
        let no_namespace = [
            load(argument(0)),
            jump(libc::BPF_JSET, NAMESPACE_FLAGS, 0, 1),
            give(fail(libc::EPERM)),
            give(ALLOW),
        ];
        when(*numbers, &no_namespace);
    }
    for call in CALLS {
        let heard = match call.act {
            act if act.is_about_users() => hearing.users,
            Act::Own => hearing.users || (hearing.paths && !call.places.is_empty()),
            _ => hearing.paths,
        };
        let Some(number) = call.number(table).filter(|_| heard) else {
            continue;
        };
        let mut numbers = [NO; 3];
        numbers[table as usize] = number;
        match call.empty {
            None => when(numbers, &[give(NOTIFY)]),
            Some(flags) => {
                // An empty path on an open descriptor is let pass.
                let unless_empty = [
                    load(argument(flags)),
                    jump(libc::BPF_JSET, libc::AT_EMPTY_PATH as u32, 0, 3),
                    load(argument(0)),
                    jump(libc::BPF_JEQ, libc::AT_FDCWD as u32, 1, 0),
                    give(ALLOW),
                    give(NOTIFY),
                ];
                when(numbers, &unless_empty);
            }
        }
    }
    rules.push(give(ALLOW));
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a filter as the kernel would.
    fn verdict(filter: &[sock_filter], arch: u32, number: u32, arguments: &[u32]) -> u32 {
        let mut value = 0;
        let mut at = 0;
        for _ in 0..filter.len() {
            let step = filter[at];
            let choose = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
            at += 1;
            match u32::from(step.code) {
                code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    value = match step.k {
                        NUMBER => number,
                        ARCH => arch,
                        offset => arguments
                            .get((offset as usize - 16) / 8)
                            .copied()
                            .unwrap_or(0),
                    }
                }
                code if code == libc::BPF_RET => return step.k,
                code if code == libc::BPF_JMP => at += step.k as usize,
                code if code == libc::BPF_JMP | libc::BPF_JEQ => at += choose(value == step.k),
                code if code == libc::BPF_JMP | libc::BPF_JGE => at += choose(value >= step.k),
                code if code == libc::BPF_JMP | libc::BPF_JSET => at += choose(value & step.k != 0),
                code => panic!("instruction {code}"),
            }
        }
        panic!("no verdict");
    }

    const QUIET: Hearing = Hearing {
        paths: false,
        users: false,
    };
    const PATHS: Hearing = Hearing {
        paths: true,
        users: false,
    };
    const BOTH: Hearing = Hearing {
        paths: true,
        users: true,
    };

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn verdicts() {
        let ours = Table::X86_64.audit();
        let old = Table::I386.audit();
        let empty = libc::AT_EMPTY_PATH as u32;
        let here = libc::AT_FDCWD as u32;
        let (eperm, enosys) = (fail(libc::EPERM), fail(libc::ENOSYS));
        let cases: &[(Hearing, u32, u32, &[u32], u32)] = &[
            (QUIET, ours, 257, &[], ALLOW),
            (PATHS, ours, 257, &[], NOTIFY),
            (PATHS, ours, 0, &[], ALLOW),
            // fstat passes, stat does not.
            (PATHS, ours, 262, &[3, 0, 0, empty], ALLOW),
            (PATHS, ours, 262, &[here, 0, 0, empty], NOTIFY),
            (PATHS, ours, 262, &[3, 0, 0, 0], NOTIFY),
            (PATHS, ours, 332, &[3, 0, empty], ALLOW),
            // i386: the same number is another call.
            (PATHS, old, 5, &[], NOTIFY),
            (PATHS, ours, 5, &[], ALLOW),
            (PATHS, old, 383, &[3, 0, empty], ALLOW),
            // Threads yes, namespaces no.
            (QUIET, ours, 56, &[libc::CLONE_VM as u32], ALLOW),
            (QUIET, ours, 56, &[libc::CLONE_NEWUSER as u32], eperm),
            (QUIET, old, 310, &[libc::CLONE_NEWNS as u32], eperm),
            (QUIET, ours, 435, &[], enosys),
            (QUIET, ours, 425, &[], enosys),
            (QUIET, ours, 165, &[], eperm),
            // x32, and a machine that is none of ours.
            (PATHS, ours, X32 | 257, &[], enosys),
            (PATHS, 0xC000_00B7, 56, &[], enosys),
            (PATHS, ours, 105, &[], ALLOW),
            (PATHS, ours, 93, &[], ALLOW),
            (PATHS, ours, 92, &[], NOTIFY),
            (BOTH, ours, 105, &[], NOTIFY),
            (BOTH, ours, 93, &[], NOTIFY),
        ];
        for (hearing, arch, number, arguments, wanted) in cases {
            let got = verdict(&build(*hearing), *arch, *number, arguments);
            assert_eq!(got, *wanted, "{hearing:?} {arch:x} {number} {arguments:?}");
        }
    }

    #[test]
    fn the_kernel_takes_it() {
        // BPF_MAXINSNS, and jumps that fit their byte.
        assert!(build(BOTH).len() < 4096);
    }
}
