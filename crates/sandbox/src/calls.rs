//! System calls that name files, and where they do it.
//!
//! Numbers are those of the kernel's tables (`arch/x86/entry/syscalls`,
//! `include/uapi/asm-generic/unistd.h`).

use crate::tracer::Step;

/// What a call does to the files that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Opens a file.
    Open(Flags),
    /// Asks for attributes or existence.
    Look,
    /// Reads a symbolic link.
    ReadLink,
    /// Executes a program.
    Execute,
    /// Changes something that is there: content, mode, times, attributes.
    Change,
    /// As `Change`, but of the owner.
    Own,
    /// Makes something new.
    Make,
    /// Removes something.
    Remove,
    /// Gives the first file the second name, and keeps the first name or not.
    Rename,
    Link,
    /// Makes a folder the working folder, or the root.
    Enter,
    Root,
    /// Uses a socket, perhaps one that is a file.
    Connect,
    Bind,
    /// Takes on other users or groups; names no file.
    Become(Step),
    /// Takes on more groups: how many, and where they are.
    JoinGroups,
    /// Asks for one id, or for all three through pointers.
    Ask(Whose, Which),
    /// Asks for more groups: how many fit, and where.
    AskGroups,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    User,
    Group,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Real,
    Effective,
    All,
}

impl Act {
    /// True for calls about users, which are heard only where they have to be
    /// answered.
    pub fn is_about_users(self) -> bool {
        use Act::{Ask, AskGroups, Become, JoinGroups};
        matches!(self, Become(_) | JoinGroups | Ask(..) | AskGroups)
    }
}

/// Where the flags of an opening call are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flags {
    Argument(u8),
    /// In the first word of the `struct open_how` that this argument points at.
    How(u8),
    /// `creat` has none.
    Create,
}

/// One path among a call's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The argument with the folder that a relative path starts from; `None`
    /// for the working folder.
    pub dir: Option<u8>,
    pub path: u8,
    pub follow: Follow,
}

/// Whether a symbolic link in the last place is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    Yes,
    No,
    /// Unless this argument has AT_SYMLINK_NOFOLLOW.
    Unless(u8),
    /// If this argument has AT_SYMLINK_FOLLOW.
    If(u8),
}

/// A call, its number in each table, and what to make of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// x86-64, i386, arm64.
    numbers: [u32; 3],
    pub act: Act,
    pub places: &'static [Place],
    /// The argument with AT_EMPTY_PATH, when the call is mostly used so: the
    /// descriptor's own file was noticed when it was opened.
    pub empty: Option<u8>,
}

/// A system call table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    X86_64 = 0,
    I386 = 1,
    Arm64 = 2,
}

impl Table {
    /// The table of this machine's own programs.
    pub const NATIVE: Table = if cfg!(target_arch = "aarch64") {
        Table::Arm64
    } else {
        Table::X86_64
    };
    /// The table that programs for an older machine use beside it.
    pub const SECOND: Option<Table> = if cfg!(target_arch = "x86_64") {
        Some(Table::I386)
    } else {
        None
    };

    /// `AUDIT_ARCH_*` of `linux/audit.h`.
    pub fn audit(self) -> u32 {
        match self {
            Table::X86_64 => 0xC000_003E,
            Table::I386 => 0x4000_0003,
            Table::Arm64 => 0xC000_00B7,
        }
    }
}

/// No such call in this table.
pub(crate) const NO: u32 = u32::MAX;

impl Call {
    /// A call in no table, which does something to a path.
    pub const fn of(act: Act) -> Call {
        row(NO, NO, NO, act, &[])
    }

    pub fn number(&self, table: Table) -> Option<u32> {
        let number = self.numbers[table as usize];
        (number != NO).then_some(number)
    }
}

/// The call with this number, if it is one of interest.
pub(crate) fn find(audit: u32, number: u32) -> Option<&'static Call> {
    let table = [Table::X86_64, Table::I386, Table::Arm64]
        .into_iter()
        .find(|table| table.audit() == audit)?;
    CALLS.iter().find(|call| call.number(table) == Some(number))
}

const fn here(path: u8, follow: Follow) -> Place {
    Place {
        dir: None,
        path,
        follow,
    }
}

const fn at(dir: u8, follow: Follow) -> Place {
    Place {
        dir: Some(dir),
        path: dir + 1,
        follow,
    }
}

const fn row(x86_64: u32, i386: u32, arm64: u32, act: Act, places: &'static [Place]) -> Call {
    Call {
        numbers: [x86_64, i386, arm64],
        act,
        places,
        empty: None,
    }
}

const fn or_empty(mut call: Call, flags: u8) -> Call {
    call.empty = Some(flags);
    call
}

use Act::*;
use Follow::{No, Unless, Yes};

#[rustfmt::skip]
pub(crate) const CALLS: &[Call] = &[
    // Calls that programs make most come first.
    or_empty(row(262, 300, 79, Look, &[at(0, Unless(3))]), 3),  // newfstatat
    row(257, 295, 56, Open(Flags::Argument(2)), &[at(0, Yes)]), // openat
    or_empty(row(332, 383, 291, Look, &[at(0, Unless(2))]), 2), // statx
    row(4, 195, NO, Look, &[here(0, Yes)]),                     // stat
    row(2, 5, NO, Open(Flags::Argument(1)), &[here(0, Yes)]),   // open
    row(6, 196, NO, Look, &[here(0, No)]),                      // lstat
    row(21, 33, NO, Look, &[here(0, Yes)]),                     // access
    row(89, 85, NO, ReadLink, &[here(0, No)]),                  // readlink
    row(267, 305, 78, ReadLink, &[at(0, No)]),                  // readlinkat
    row(59, 11, 221, Execute, &[here(0, Yes)]),                 // execve
    row(322, 358, 281, Execute, &[at(0, Unless(4))]),           // execveat
    row(42, 362, 203, Connect, &[]),
    row(49, 361, 200, Bind, &[]),
    row(269, 307, 48, Look, &[at(0, Yes)]),                     // faccessat
    row(439, 439, 439, Look, &[at(0, Unless(3))]),              // faccessat2
    row(437, 437, 437, Open(Flags::How(2)), &[at(0, Yes)]),     // openat2
    row(85, 8, NO, Open(Flags::Create), &[here(0, Yes)]),       // creat
    row(80, 12, 49, Enter, &[here(0, Yes)]),                    // chdir
    row(161, 61, 51, Root, &[here(0, Yes)]),                    // chroot
    row(83, 39, NO, Make, &[here(0, No)]),                      // mkdir
    row(258, 296, 34, Make, &[at(0, No)]),                      // mkdirat
    row(133, 14, NO, Make, &[here(0, No)]),                     // mknod
    row(259, 297, 33, Make, &[at(0, No)]),                      // mknodat
    row(88, 83, NO, Make, &[here(1, No)]),                      // symlink
    row(266, 304, 36, Make, &[at(1, No)]),                      // symlinkat
    row(84, 40, NO, Remove, &[here(0, No)]),                    // rmdir
    row(87, 10, NO, Remove, &[here(0, No)]),                    // unlink
    row(263, 301, 35, Remove, &[at(0, No)]),                    // unlinkat
    row(82, 38, NO, Rename, &[here(0, No), here(1, No)]),       // rename
    row(264, 302, 38, Rename, &[at(0, No), at(2, No)]),         // renameat
    row(316, 353, 276, Rename, &[at(0, No), at(2, No)]),        // renameat2
    row(86, 9, NO, Link, &[here(0, No), here(1, No)]),          // link
    row(265, 303, 37, Link, &[at(0, Follow::If(4)), at(2, No)]), // linkat
    row(76, 92, 45, Change, &[here(0, Yes)]),                   // truncate
    row(NO, 193, NO, Change, &[here(0, Yes)]),                  // truncate64
    row(90, 15, NO, Change, &[here(0, Yes)]),                   // chmod
    row(268, 306, 53, Change, &[at(0, Yes)]),                   // fchmodat
    row(452, 452, 452, Change, &[at(0, Unless(3))]),            // fchmodat2
    row(92, 182, NO, Own, &[here(0, Yes)]),                     // chown
    row(94, 16, NO, Own, &[here(0, No)]),                       // lchown
    row(NO, 212, NO, Own, &[here(0, Yes)]),                     // chown32
    row(NO, 198, NO, Own, &[here(0, No)]),                      // lchown32
    row(260, 298, 54, Own, &[at(0, Unless(4))]),                // fchownat
    row(132, 30, NO, Change, &[here(0, Yes)]),                  // utime
    row(235, 271, NO, Change, &[here(0, Yes)]),                 // utimes
    row(261, 299, NO, Change, &[at(0, Yes)]),                   // futimesat
    row(280, 320, 88, Change, &[at(0, Unless(3))]),             // utimensat
    row(NO, 412, NO, Change, &[at(0, Unless(3))]),              // utimensat_time64
    row(188, 226, 5, Change, &[here(0, Yes)]),                  // setxattr
    row(189, 227, 6, Change, &[here(0, No)]),                   // lsetxattr
    row(191, 229, 8, Look, &[here(0, Yes)]),                    // getxattr
    row(192, 230, 9, Look, &[here(0, No)]),                     // lgetxattr
    row(194, 232, 11, Look, &[here(0, Yes)]),                   // listxattr
    row(195, 233, 12, Look, &[here(0, No)]),                    // llistxattr
    row(197, 235, 14, Change, &[here(0, Yes)]),                 // removexattr
    row(198, 236, 15, Change, &[here(0, No)]),                  // lremovexattr
    row(463, 463, 463, Change, &[at(0, Unless(2))]),            // setxattrat
    row(464, 464, 464, Look, &[at(0, Unless(2))]),              // getxattrat
    row(465, 465, 465, Look, &[at(0, Unless(2))]),              // listxattrat
    row(466, 466, 466, Change, &[at(0, Unless(2))]),            // removexattrat
    row(137, 99, 43, Look, &[here(0, Yes)]),                    // statfs
    row(NO, 268, NO, Look, &[here(0, Yes)]),                    // statfs64
    row(NO, 106, NO, Look, &[here(0, Yes)]),                    // stat of i386
    row(NO, 107, NO, Look, &[here(0, No)]),                     // lstat of i386
    row(NO, 18, NO, Look, &[here(0, Yes)]),                     // oldstat
    row(NO, 84, NO, Look, &[here(0, No)]),                      // oldlstat
    row(254, 292, 27, Look, &[here(1, Yes)]),                   // inotify_add_watch
    row(303, 341, 264, Look, &[at(0, Follow::If(4))]),          // name_to_handle_at
    row(105, 213, 146, Become(Step::User), &[]),                // setuid
    row(106, 214, 144, Become(Step::Group), &[]),               // setgid
    row(113, 203, 145, Become(Step::UserPair), &[]),            // setreuid
    row(114, 204, 143, Become(Step::GroupPair), &[]),           // setregid
    row(117, 208, 147, Become(Step::UserAll), &[]),             // setresuid
    row(119, 210, 149, Become(Step::GroupAll), &[]),            // setresgid
    row(116, 206, 159, JoinGroups, &[]),                        // setgroups
    row(102, 199, 174, Ask(Whose::User, Which::Real), &[]),     // getuid
    row(104, 200, 176, Ask(Whose::Group, Which::Real), &[]),    // getgid
    row(107, 201, 175, Ask(Whose::User, Which::Effective), &[]), // geteuid
    row(108, 202, 177, Ask(Whose::Group, Which::Effective), &[]), // getegid
    row(118, 209, 148, Ask(Whose::User, Which::All), &[]),      // getresuid
    row(120, 211, 150, Ask(Whose::Group, Which::All), &[]),     // getresgid
    row(115, 205, 158, AskGroups, &[]),                         // getgroups
    row(93, 95, 55, Own, &[]),                                  // fchown
    row(NO, 207, NO, Own, &[]),                                 // fchown32
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_once() {
        for table in [Table::X86_64, Table::I386, Table::Arm64] {
            let mut numbers: Vec<u32> =
                CALLS.iter().filter_map(|call| call.number(table)).collect();
            let all = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), all, "{table:?}");
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn numbers_agree_with_libc() {
        let native = |number: libc::c_long| find(Table::NATIVE.audit(), number as u32).unwrap().act;
        assert_eq!(native(libc::SYS_openat), Open(Flags::Argument(2)));
        assert_eq!(native(libc::SYS_openat2), Open(Flags::How(2)));
        for look in [
            libc::SYS_newfstatat,
            libc::SYS_statx,
            libc::SYS_faccessat2,
            libc::SYS_inotify_add_watch,
            libc::SYS_name_to_handle_at,
            libc::SYS_llistxattr,
            libc::SYS_statfs,
        ] {
            assert_eq!(native(look), Look);
        }
        for change in [
            libc::SYS_utimensat,
            libc::SYS_fchmodat,
            libc::SYS_lremovexattr,
        ] {
            assert_eq!(native(change), Change);
        }
        for make in [libc::SYS_mkdirat, libc::SYS_symlinkat, libc::SYS_mknodat] {
            assert_eq!(native(make), Make);
        }
        for users in [
            libc::SYS_setresuid,
            libc::SYS_setregid,
            libc::SYS_setgroups,
            libc::SYS_getgroups,
            libc::SYS_getegid,
            libc::SYS_getresgid,
        ] {
            assert!(native(users).is_about_users());
        }
        assert_eq!(native(libc::SYS_setresgid), Become(Step::GroupAll));
        assert_eq!(
            native(libc::SYS_geteuid),
            Ask(Whose::User, Which::Effective)
        );
        assert_eq!(native(libc::SYS_renameat2), Rename);
        assert_eq!(native(libc::SYS_execveat), Execute);
        assert_eq!(native(libc::SYS_connect), Connect);
        assert_eq!(native(libc::SYS_bind), Bind);
        assert_eq!(native(libc::SYS_fchown), Own);
    }
}
