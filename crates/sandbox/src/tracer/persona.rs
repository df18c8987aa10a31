//! Users that processes believe to be.
//!
//! Where the sandbox has a single user, a root inside cannot become anybody
//! else. Services that start as root and then step down would fail; so their
//! calls are answered here, by the rules of `credentials(7)`, and remembered,
//! because entrypoints ask who they are and start over until they are somebody
//! else. It changes what processes are told, not what they may do.

use std::collections::HashMap;
use std::fs;

/// Numbers of a process's users or groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ids {
    pub real: u32,
    pub effective: u32,
    pub saved: u32,
}

/// Whom a process believes to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Persona {
    pub user: Ids,
    pub group: Ids,
    pub groups: Vec<u32>,
}

/// Leaves an id as it is.
const SAME: u32 = u32::MAX;

impl Ids {
    /// `setuid`, `setgid`: `free` if every id may be taken on.
    fn set(&mut self, free: bool, id: u32) -> Result<(), i32> {
        if id == SAME {
            return Err(libc::EINVAL);
        }
        if free {
            (self.real, self.effective, self.saved) = (id, id, id);
        } else if id == self.real || id == self.saved {
            self.effective = id;
        } else {
            return Err(libc::EPERM);
        }
        Ok(())
    }

    /// `setresuid`, `setresgid`.
    fn set_all(&mut self, free: bool, ids: [u32; 3]) -> Result<(), i32> {
        let known = |id: u32| [self.real, self.effective, self.saved, SAME].contains(&id);
        if !free && !ids.into_iter().all(known) {
            return Err(libc::EPERM);
        }
        let or = |id, old| if id == SAME { old } else { id };
        self.real = or(ids[0], self.real);
        self.effective = or(ids[1], self.effective);
        self.saved = or(ids[2], self.saved);
        Ok(())
    }

    /// `setreuid`, `setregid`: the saved id follows the effective one.
    fn set_pair(&mut self, free: bool, real: u32, effective: u32) -> Result<(), i32> {
        let changes = real != SAME || (effective != SAME && effective != self.real);
        self.set_all(free, [real, effective, SAME])?;
        if changes {
            self.saved = self.effective;
        }
        Ok(())
    }
}

/// A call that changes users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    User,
    Group,
    UserPair,
    GroupPair,
    UserAll,
    GroupAll,
}

impl Persona {
    /// Makes a call with these arguments.
    pub fn step(&mut self, step: Step, ids: [u32; 3]) -> Result<(), i32> {
        let free = self.is_root();
        let [first, second, _] = ids;
        match step {
            Step::User => self.user.set(free, first),
            Step::Group => self.group.set(free, first),
            Step::UserPair => self.user.set_pair(free, first, second),
            Step::GroupPair => self.group.set_pair(free, first, second),
            Step::UserAll => self.user.set_all(free, ids),
            Step::GroupAll => self.group.set_all(free, ids),
        }
    }

    pub fn is_root(&self) -> bool {
        self.user.effective == 0
    }
}

/// Most processes whose persona is remembered.
const REMEMBERED: usize = 100_000;
/// How far back ancestors are looked for.
const GENERATIONS: usize = 64;

/// The personas of a sandbox's processes.
#[derive(Debug, Default)]
pub(crate) struct Personas {
    /// By process; with its start time, because numbers are used again.
    known: HashMap<i32, (u64, Persona)>,
    /// Threads whose process was looked up.
    seen: HashMap<i32, i32>,
}

/// What `/proc` says about a process.
struct Birth {
    process: i32,
    parent: i32,
    /// In clock ticks.
    start: u64,
}

impl Personas {
    /// Notices a thread early, while its ancestors are still there to inherit
    /// from.
    pub fn notice(&mut self, tid: i32) {
        // Without anybody who stepped down there is nothing to inherit.
        if !self.known.is_empty() && !self.seen.contains_key(&tid) {
            self.of(tid);
        }
    }

    /// Whom the process of a thread believes to be: what it became, or what its
    /// nearest known ancestor was.
    pub fn of(&mut self, tid: i32) -> Persona {
        let Some(birth) = birth(tid) else {
            return Persona::default();
        };
        if let Some(known) = self.get(&birth) {
            return known;
        }
        let mut parent = birth.parent;
        let mut inherited = None;
        for _ in 0..GENERATIONS {
            let Some(ancestor) = birth_of_process(parent) else {
                break;
            };
            inherited = self.get(&ancestor);
            if inherited.is_some() {
                break;
            }
            parent = ancestor.parent;
        }
        let persona = inherited.unwrap_or_default();
        if !self.known.is_empty() {
            self.remember(tid, &birth, persona.clone());
        }
        persona
    }

    /// Notes whom the process of a thread has become.
    pub fn set(&mut self, tid: i32, persona: Persona) {
        if let Some(birth) = birth(tid) {
            self.remember(tid, &birth, persona);
        }
    }

    fn get(&self, birth: &Birth) -> Option<Persona> {
        let (start, persona) = self.known.get(&birth.process)?;
        (*start == birth.start).then(|| persona.clone())
    }

    fn remember(&mut self, tid: i32, birth: &Birth, persona: Persona) {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        self.known.insert(birth.process, (birth.start, persona));
        self.seen.insert(tid, birth.process);
    }
}

/// The birth of a thread's process.
fn birth(tid: i32) -> Option<Birth> {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    birth_of_process(line.trim().parse().ok()?)
}

fn birth_of_process(process: i32) -> Option<Birth> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in brackets may hold anything; what follows does not.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let start = fields.nth(17)?.parse().ok()?;
    Some(Birth {
        process,
        parent,
        start,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_steps_down_and_cannot_come_back() {
        let mut persona = Persona::default();
        persona.step(Step::Group, [33, 0, 0]).unwrap();
        persona.step(Step::User, [33, 0, 0]).unwrap();
        let all = Ids {
            real: 33,
            effective: 33,
            saved: 33,
        };
        assert_eq!((persona.user, persona.group), (all, all));
        assert_eq!(persona.step(Step::User, [0, 0, 0]), Err(libc::EPERM));
        assert_eq!(
            persona.step(Step::UserAll, [SAME, 0, SAME]),
            Err(libc::EPERM)
        );
        assert_eq!(persona.step(Step::Group, [0, 0, 0]), Err(libc::EPERM));
    }

    #[test]
    fn a_saved_user_is_a_way_back() {
        let mut persona = Persona::default();
        persona.step(Step::UserAll, [SAME, 33, SAME]).unwrap();
        assert!(!persona.is_root());
        persona.step(Step::User, [0, 0, 0]).unwrap();
        assert!(persona.is_root());
        persona.step(Step::UserPair, [33, 33, 0]).unwrap();
        assert_eq!(persona.user.saved, 33);
    }

    #[test]
    fn children_inherit() {
        let me = std::process::id() as i32;
        let mut personas = Personas::default();
        assert_eq!(personas.of(me), Persona::default());
        let mut web = Persona::default();
        web.step(Step::User, [33, 0, 0]).unwrap();
        personas.set(me, web.clone());
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        assert_eq!(personas.of(child.id() as i32), web);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(personas.of(child.id() as i32), Persona::default());
    }
}
