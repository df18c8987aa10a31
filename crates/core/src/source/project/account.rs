//! The user that the image runs as.

use super::ProjectError;
use crate::observe::Users;

/// A user and its group, by number: an orchestrator that demands "not root"
/// can only check a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Name of the user and of the group in `/etc/passwd` and `/etc/group`.
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// The home that is made for it; `None` for a user that has one.
    pub home: Option<String>,
}

/// distroless's convention, which most cluster policies know.
const NONROOT: u32 = 65532;

impl Account {
    /// `nonroot`, 65532:65532.
    pub fn nonroot() -> Self {
        Self::named("nonroot", NONROOT, NONROOT)
    }

    fn named(name: &str, uid: u32, gid: u32) -> Self {
        Self {
            name: name.to_owned(),
            uid,
            gid,
            home: (uid != 0).then(|| format!("/home/{name}")),
        }
    }

    /// A user that the base has, as engines resolve it; `None` for any other.
    fn of_base(text: &str, base: &Users) -> Option<Self> {
        let user = text.split_once(':').map_or(text, |(user, _)| user);
        let name = base.name_of(user)?;
        let identity = base.resolve(text).ok()?;
        Some(Self {
            name: name.to_owned(),
            uid: identity.uid,
            gid: identity.gid,
            home: None,
        })
    }

    /// Reads `user`, `uid`, `user:group` or `uid:gid`. A name that is neither
    /// `root` nor one of the base's users gets the number 65532: the image
    /// that knew its number is not there.
    pub fn parse(text: &str, said_by: &str, base: &Users) -> Result<Self, ProjectError> {
        if let Some(account) = Self::of_base(text, base) {
            return Ok(account);
        }
        let fail = |problem| ProjectError::Value {
            what: "user",
            value: text.to_owned(),
            said_by: said_by.to_owned(),
            problem,
        };
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let number = |part: &str| -> Result<Option<u32>, ProjectError> {
            if part.is_empty()
                || part.contains(|c: char| c.is_whitespace() || c == '/' || c.is_control())
            {
                return Err(fail("it is not USER, UID, USER:GROUP or UID:GID"));
            }
            if !part.starts_with(|c: char| c.is_ascii_digit()) {
                return Ok(match part {
                    "root" => Some(0),
                    _ => None,
                });
            }
            match part.parse() {
                // The highest number means "no user" to the kernel.
                Ok(number) if number < u32::MAX => Ok(Some(number)),
                _ => Err(fail("the number is too large")),
            }
        };
        let uid = number(user)?;
        let gid = group.map(number).transpose()?.flatten();
        let name = match uid {
            Some(0) => "root",
            Some(NONROOT) => "nonroot",
            Some(_) => "app",
            None => user,
        };
        let uid = uid.unwrap_or(NONROOT);
        // Docker gives a bare uid the group 0; no image here has a use for
        // that, and the number of the user is what people expect.
        Ok(Self::named(name, uid, gid.unwrap_or(uid)))
    }

    /// `UID:GID`, for the image's configuration.
    pub fn id(&self) -> String {
        format!("{}:{}", self.uid, self.gid)
    }

    /// The runtime's `/etc/passwd` with a line for this user, unless it has
    /// one of that number.
    pub fn passwd(&self, runtime: &str) -> String {
        let home = self.home.as_deref().unwrap_or("/root");
        let line = format!(
            "{}:x:{}:{}:{}:{home}:/sbin/nologin",
            self.name, self.uid, self.gid, self.name
        );
        with_line(runtime, &line, self.uid)
    }

    /// The runtime's `/etc/group`, likewise.
    pub fn group(&self, runtime: &str) -> String {
        with_line(runtime, &format!("{}:x:{}:", self.name, self.gid), self.gid)
    }
}

fn with_line(text: &str, line: &str, id: u32) -> String {
    let known = text
        .lines()
        .any(|line| line.split(':').nth(2).and_then(|n| n.parse().ok()) == Some(id));
    let mut text = text.to_owned();
    if !known {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_by_name_and_number() {
        let id = |text: &str| {
            Account::parse(text, "a test", &Users::default()).map(|account| account.id())
        };
        assert_eq!(id("1000").unwrap(), "1000:1000");
        assert_eq!(id("1000:50").unwrap(), "1000:50");
        assert_eq!(id("root").unwrap(), "0:0");
        assert_eq!(id("app:app").unwrap(), "65532:65532");
        for bad in ["", "a b", ":", "99999999999", "4294967295", "a:b/c"] {
            assert!(id(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn users_of_the_base_keep_their_numbers_and_homes() {
        let passwd = "root:x:0:0::/root:/bin/sh\nwww-data:x:33:34::/var/www:/bin/sh\n";
        let base = Users::parse(passwd.as_bytes(), b"www-data:x:34:\nusers:x:100:\n");
        let parse = |text: &str| Account::parse(text, "a test", &base).unwrap();
        for (text, id) in [
            ("www-data", "33:34"),
            ("33", "33:34"),
            ("www-data:users", "33:100"),
            ("www-data:7", "33:7"),
        ] {
            let account = parse(text);
            assert_eq!(account.id(), id);
            assert_eq!(account.home, None);
            assert_eq!(account.passwd(passwd), passwd);
        }
        assert_eq!(parse("stranger").id(), "65532:65532");
        assert_eq!(parse("1000").id(), "1000:1000");
    }

    #[test]
    fn files_get_one_line() {
        let account = Account::nonroot();
        let passwd = account.passwd("root:x:0:0:root:/root:/bin/bash");
        assert_eq!(
            passwd,
            "root:x:0:0:root:/root:/bin/bash\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
        );
        assert_eq!(account.passwd(&passwd), passwd);
        assert_eq!(account.group(""), "nonroot:x:65532:\n");
    }
}
