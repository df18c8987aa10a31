//! What a call means for the files that it names.

use std::collections::HashSet;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::listener::{Notice, Reply};
use super::persona::Personas;
use super::tracee::Tracee;
use super::walk::{End, From, Kind, Walked, Walker};
use crate::calls::{self, Act, Call, Flags, Follow, Place, Which, Whose};
use crate::program::Program;
use crate::sys;
use crate::{Access, Touch};

/// How long after a change of names nothing is remembered: the call goes on
/// only after it was considered.
const SETTLING: Duration = Duration::from_millis(10);
/// Most paths that are remembered as dealt with.
const REMEMBERED: usize = 500_000;
/// How often a script's interpreter may be a script, as in the kernel.
const INTERPRETERS: usize = 5;

/// Turns calls into touches.
pub(crate) struct Watch {
    walker: Walker,
    pretends: bool,
    /// True once some process has changed its root: until then, every root is
    /// the sandbox's.
    rooted: bool,
    /// Paths and what was done to them, dealt with before: those that are
    /// there, and those that are not.
    found: HashSet<Box<[u8]>>,
    missing: HashSet<Box<[u8]>>,
    settled: Instant,
    personas: Personas,
}

/// How the names in a root change by a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Nothing,
    /// Something will be where nothing was.
    Made,
    /// Something will not be where it was.
    Moved,
}

impl Watch {
    pub fn new(root: OwnedFd, pretends: bool) -> Watch {
        Watch {
            walker: Walker::new(root),
            pretends,
            rooted: false,
            found: HashSet::new(),
            missing: HashSet::new(),
            settled: Instant::now(),
            personas: Personas::default(),
        }
    }

    /// What a call touches, and how it is answered.
    pub fn consider(&mut self, notice: &Notice) -> (Reply, Vec<Touch>) {
        let Some(call) = calls::find(notice.audit, notice.number) else {
            return (Reply::Continue, Vec::new());
        };
        let tracee = Tracee { tid: notice.tid };
        let mut visit = Visit {
            tracee,
            arguments: notice.arguments,
            touches: Vec::new(),
            change: Change::Nothing,
        };
        if self.pretends {
            self.personas.notice(tracee.tid);
        }
        if call.act.is_about_users() {
            let answer = self.answer(call.act, tracee, notice.arguments);
            let reply =
                answer.map_or_else(|errno| Reply::Instead(-i64::from(errno)), Reply::Instead);
            return (reply, Vec::new());
        }
        if call.act == Act::Root {
            self.rooted = true;
        }
        let mut absent = false;
        match call.act {
            Act::Connect | Act::Bind => {
                if let Some(path) = visit.socket() {
                    let from = self.start(tracee, &path, None);
                    absent = !self.visit(&mut visit, call, from, &path, true);
                }
            }
            _ => {
                for (which, place) in call.places.iter().enumerate() {
                    let dir = place.dir.map(|dir| notice.arguments[dir as usize] as i32);
                    let Some(path) = visit.path(call, place, dir) else {
                        continue;
                    };
                    let from = self.start(tracee, &path, dir);
                    let follow = visit.follows(call, place);
                    let call = if which == 1 { &NEW_NAME } else { call };
                    absent |= !self.visit(&mut visit, call, from, &path, follow);
                }
            }
        }
        self.note(visit.change);
        let reply = match call.act {
            Act::Own if self.pretends && absent => Reply::Instead(-i64::from(libc::ENOENT)),
            Act::Own if self.pretends => Reply::Instead(0),
            _ => Reply::Continue,
        };
        (reply, visit.touches)
    }

    /// The result of a call about users.
    fn answer(&mut self, act: Act, tracee: Tracee, arguments: [u64; 6]) -> Result<i64, i32> {
        let mut persona = self.personas.of(tracee.tid);
        let ids = [
            arguments[0] as u32,
            arguments[1] as u32,
            arguments[2] as u32,
        ];
        match act {
            Act::Become(step) => {
                persona.step(step, ids)?;
                self.personas.set(tracee.tid, persona);
                Ok(0)
            }
            Act::JoinGroups => {
                if !persona.is_root() {
                    return Err(libc::EPERM);
                }
                persona.groups = tracee.groups(ids[0], arguments[1])?;
                self.personas.set(tracee.tid, persona);
                Ok(0)
            }
            Act::Ask(whose, which) => {
                let ids = match whose {
                    Whose::User => persona.user,
                    Whose::Group => persona.group,
                };
                match which {
                    Which::Real => Ok(i64::from(ids.real)),
                    Which::Effective => Ok(i64::from(ids.effective)),
                    Which::All => {
                        let all = [ids.real, ids.effective, ids.saved];
                        for (address, id) in arguments.iter().zip(all) {
                            tracee.put(*address, &[id]).ok_or(libc::EFAULT)?;
                        }
                        Ok(0)
                    }
                }
            }
            Act::AskGroups => {
                let count = persona.groups.len();
                if ids[0] != 0 {
                    if (ids[0] as usize) < count {
                        return Err(libc::EINVAL);
                    }
                    tracee
                        .put(arguments[1], &persona.groups)
                        .ok_or(libc::EFAULT)?;
                }
                Ok(count as i64)
            }
            _ => Err(libc::ENOSYS),
        }
    }

    /// Where a path starts; `None` if that is no folder with a name.
    fn start(&self, tracee: Tracee, path: &[u8], dir: Option<i32>) -> Option<From> {
        let floor = if self.rooted {
            let mut floor = tracee.link(b"root")?;
            while floor.ends_with(b"/") {
                floor.pop();
            }
            floor
        } else {
            Vec::new()
        };
        if path.starts_with(b"/") {
            return Some(From {
                floor,
                folder: Vec::new(),
            });
        }
        let folder = match dir {
            None | Some(libc::AT_FDCWD) => tracee.link(b"cwd")?,
            Some(fd) => tracee.link(format!("fd/{fd}").as_bytes())?,
        };
        Some(From { floor, folder })
    }

    /// Deals with one path of a call; false if nothing is there.
    fn visit(
        &mut self,
        visit: &mut Visit,
        call: &Call,
        from: Option<From>,
        path: &[u8],
        follow: bool,
    ) -> bool {
        let Some(from) = from else { return true };
        let flags = visit.flags(call);
        let key = key(call.act, flags, follow, &from, path);
        if self.found.contains(&key) {
            return true;
        }
        if self.missing.contains(&key) {
            return false;
        }
        let settled = self.settled.elapsed() > SETTLING;
        let tracee = visit.tracee;
        let magic = |name: &[u8]| tracee.link(name);
        let walked = self.walker.walk(&from, path, follow, settled, magic);
        let there = !matches!(walked.end, End::Missing { .. });
        let program = match (&walked.end, call.act) {
            (End::Found { path, .. }, Act::Execute) => Some(path.clone()),
            _ => None,
        };
        visit.note(call.act, flags, walked);
        if let Some(program) = program {
            self.interpreters(visit, &from, program);
        }
        // A call that changes names is always looked at.
        if settled && visit.change == Change::Nothing {
            let memory = if there {
                &mut self.found
            } else {
                &mut self.missing
            };
            if memory.len() >= REMEMBERED {
                memory.clear();
            }
            memory.insert(key);
        }
        there
    }

    /// Notes what runs a program: the interpreter of a script, and of that in
    /// turn; the dynamic loader.
    fn interpreters(&mut self, visit: &mut Visit, from: &From, mut program: Vec<u8>) {
        for _ in 0..INTERPRETERS {
            let interpreter = match self.read_program(&program) {
                Some(Program::Script { interpreter }) => interpreter,
                Some(Program::Elf {
                    interpreter: Some(interpreter),
                    ..
                }) => interpreter,
                _ => return,
            };
            let mut from = from.clone();
            if !interpreter.starts_with(b"/") {
                let Some(folder) = visit.tracee.link(b"cwd") else {
                    return;
                };
                from.folder = folder;
            }
            let walked = self.walker.walk(&from, &interpreter, true, false, |_| None);
            let next = match &walked.end {
                End::Found { path, .. } => Some(path.clone()),
                _ => None,
            };
            visit.note(Act::Execute, 0, walked);
            match next {
                Some(next) => program = next,
                None => return,
            }
        }
    }

    fn read_program(&self, path: &[u8]) -> Option<Program> {
        let path = CString::new(path).ok()?;
        let root = self.walker.root();
        let place = sys::open_in_root(root, &path, libc::O_PATH, 0).ok()?;
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let place = unsafe { OwnedFd::from_raw_fd(place) };
        let mode = sys::stat(place.as_raw_fd(), c"").ok()?.st_mode;
        if mode & libc::S_IFMT != libc::S_IFREG {
            return None;
        }
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = sys::open_in_root(root, &path, flags, 0).ok()?;
        // SAFETY: as above.
        let file = File::from(unsafe { OwnedFd::from_raw_fd(file) });
        Some(Program::read(|at, into| {
            file.read_at(into, at).unwrap_or(0)
        }))
    }

    /// Forgets what a change of names makes doubtful.
    fn note(&mut self, change: Change) {
        if change == Change::Nothing {
            return;
        }
        self.settled = Instant::now();
        self.missing.clear();
        if change == Change::Moved {
            self.found.clear();
            self.walker.forget();
        }
    }
}

/// Stands for the second name of a rename or a link.
const NEW_NAME: Call = Call::of(Act::Bind);

/// What identifies a path and what is done to it.
fn key(act: Act, flags: i32, follow: bool, from: &From, path: &[u8]) -> Box<[u8]> {
    let act = match act {
        Act::Open(_) => 1,
        Act::Look => 2,
        Act::ReadLink => 3,
        Act::Execute => 4,
        Act::Change | Act::Own => 5,
        Act::Enter | Act::Root => 6,
        Act::Connect => 7,
        Act::Make => 8,
        Act::Bind => 9,
        Act::Remove => 10,
        Act::Rename => 11,
        Act::Link => 12,
        Act::Become(_) | Act::JoinGroups | Act::Ask(..) | Act::AskGroups => 13,
    };
    let mut key = Vec::with_capacity(from.floor.len() + from.folder.len() + path.len() + 8);
    key.extend_from_slice(&[act, u8::from(follow)]);
    key.extend_from_slice(&flags.to_ne_bytes());
    for part in [&from.floor, &from.folder, path] {
        key.push(0);
        key.extend_from_slice(part);
    }
    key.into_boxed_slice()
}

/// One call that is being considered.
struct Visit {
    tracee: Tracee,
    arguments: [u64; 6],
    touches: Vec<Touch>,
    change: Change,
}

impl Visit {
    /// The path of a place, if there is one.
    fn path(&self, call: &Call, place: &Place, dir: Option<i32>) -> Option<Vec<u8>> {
        let path = self.tracee.string(self.arguments[place.path as usize])?;
        match dir {
            // An open descriptor is executed.
            Some(fd) if path.is_empty() && call.act == Act::Execute => {
                self.tracee.link(format!("fd/{fd}").as_bytes())
            }
            // An open descriptor, which was noticed when it was opened.
            _ => (!path.is_empty()).then_some(path),
        }
    }

    /// The path of a socket's address.
    fn socket(&self) -> Option<Vec<u8>> {
        let length = (self.arguments[2] as u32 as usize).min(size_of::<libc::sockaddr_un>());
        let mut address = [0u8; size_of::<libc::sockaddr_un>()];
        let address = &mut address[..length];
        self.tracee.bytes(self.arguments[1], address)?;
        let path = address.strip_prefix(&(libc::AF_UNIX as u16).to_ne_bytes())?;
        let end = path.iter().position(|b| *b == 0).unwrap_or(path.len());
        // An abstract name begins with a NUL.
        (end > 0).then(|| path[..end].to_vec())
    }

    fn flags(&self, call: &Call) -> i32 {
        match call.act {
            Act::Open(Flags::Argument(n)) => self.arguments[n as usize] as i32,
            Act::Open(Flags::Create) => libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC,
            Act::Open(Flags::How(n)) => {
                let mut flags = [0; 8];
                let read = self.tracee.bytes(self.arguments[n as usize], &mut flags);
                read.map_or(0, |()| u64::from_ne_bytes(flags) as i32)
            }
            _ => 0,
        }
    }

    fn follows(&self, call: &Call, place: &Place) -> bool {
        let has = |n: u8, flag: i32| self.arguments[n as usize] as i32 & flag != 0;
        if let Act::Open(_) = call.act {
            let flags = self.flags(call);
            let exclusive = libc::O_CREAT | libc::O_EXCL;
            return flags & libc::O_NOFOLLOW == 0 && flags & exclusive != exclusive;
        }
        match place.follow {
            Follow::Yes => true,
            Follow::No => false,
            Follow::Unless(n) => !has(n, libc::AT_SYMLINK_NOFOLLOW),
            Follow::If(n) => has(n, libc::AT_SYMLINK_FOLLOW),
        }
    }

    fn touch(&mut self, path: Vec<u8>, access: Access) {
        self.touches.push(Touch {
            path: OsString::from_vec(path).into(),
            access,
        });
    }

    /// Notes what a walk found, for what the call does.
    fn note(&mut self, act: Act, flags: i32, walked: Walked) {
        for link in walked.links {
            self.touch(link, Access::Link);
        }
        match walked.end {
            End::Found { path, kind } => self.found(act, flags, path, kind),
            End::Missing { path, first } => self.missing(act, flags, path, first),
            End::Hidden { path } => self.touch(path, Access::Stat),
            End::Elsewhere => {}
        }
    }

    fn found(&mut self, act: Act, flags: i32, path: Vec<u8>, kind: Kind) {
        match act {
            Act::Open(_) => self.opened(flags, path, kind),
            Act::ReadLink if kind == Kind::Link => self.touch(path, Access::Link),
            Act::Execute if kind == Kind::File => self.touch(path, Access::Exec),
            Act::Change | Act::Own | Act::Bind => self.touch(path, Access::Write),
            Act::Connect => self.touch(path, Access::Read),
            Act::Remove => {
                self.change = Change::Moved;
                self.touch(path, Access::Write);
            }
            // The content goes on under another name.
            Act::Rename | Act::Link => {
                if act == Act::Rename {
                    self.touch(path.clone(), Access::Write);
                }
                self.change = Change::Moved;
                let access = match kind {
                    Kind::Folder => Access::List,
                    Kind::Link => Access::Link,
                    _ => Access::Read,
                };
                self.touch(path, access);
            }
            _ => self.touch(path, Access::Stat),
        }
    }

    fn opened(&mut self, flags: i32, path: Vec<u8>, kind: Kind) {
        let temporary = flags & libc::O_TMPFILE == libc::O_TMPFILE;
        let by_path = flags & libc::O_PATH != 0;
        match kind {
            _ if by_path || temporary => self.touch(path, Access::Stat),
            Kind::Folder => self.touch(path, Access::List),
            Kind::Link => self.touch(path, Access::Stat),
            _ if flags & libc::O_DIRECTORY != 0 => self.touch(path, Access::Stat),
            _ => {
                let mode = flags & libc::O_ACCMODE;
                let emptied = flags & libc::O_TRUNC != 0;
                if mode != libc::O_RDONLY || emptied {
                    self.touch(path.clone(), Access::Write);
                }
                if mode != libc::O_WRONLY && !emptied {
                    self.touch(path, Access::Read);
                }
            }
        }
    }

    fn missing(&mut self, act: Act, flags: i32, path: Vec<u8>, first: Vec<u8>) {
        let makes = match act {
            Act::Open(_) => flags & libc::O_CREAT != 0,
            Act::Make | Act::Bind => true,
            _ => false,
        };
        if makes && first == path {
            self.change = self.change.max_with(Change::Made);
            self.touch(path, Access::Write);
            return;
        }
        if makes {
            // What it lacks is the folder.
            self.touch(first, Access::Missing);
        }
        self.touch(path, Access::Missing);
    }
}

impl Change {
    fn max_with(self, other: Change) -> Change {
        if self == Change::Moved { self } else { other }
    }
}
