//! Who a program runs as: the image's `User` resolved by its own
//! `/etc/passwd` and `/etc/group`, as container engines do it.

use super::Error;

/// The accounts of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users {
    users: Vec<User>,
    groups: Vec<Group>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// A resolved user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups, in the order of `/etc/group`.
    pub groups: Vec<u32>,
    /// `/` where the image does not know the user.
    pub home: String,
}

/// Most lines that are read of either file.
const MAX_LINES: usize = 65_536;

impl Users {
    /// Reads passwd(5) and group(5). Lines that are not understood are left
    /// out, as the C library does.
    pub fn parse(passwd: &[u8], group: &[u8]) -> Self {
        let users = lines(passwd)
            .filter_map(|line| {
                let mut fields = line.split(':');
                Some(User {
                    name: fields.next()?.to_owned(),
                    uid: fields.nth(1)?.parse().ok()?,
                    gid: fields.next()?.parse().ok()?,
                    home: fields.nth(1).unwrap_or_default().to_owned(),
                })
            })
            .collect();
        let groups = lines(group)
            .filter_map(|line| {
                let mut fields = line.split(':');
                Some(Group {
                    name: fields.next()?.to_owned(),
                    gid: fields.nth(1)?.parse().ok()?,
                    members: fields
                        .next()
                        .unwrap_or_default()
                        .split(',')
                        .filter(|name| !name.is_empty())
                        .map(str::to_owned)
                        .collect(),
                })
            })
            .collect();
        Self { users, groups }
    }

    /// The name of a user that is listed, by name or number.
    pub fn name_of(&self, user: &str) -> Option<&str> {
        self.find(user).map(|known| known.name.as_str())
    }

    fn find(&self, user: &str) -> Option<&User> {
        let number = user.parse::<u32>().ok();
        self.users
            .iter()
            .find(|known| known.name == user)
            .or_else(|| self.users.iter().find(|known| Some(known.uid) == number))
    }

    /// Resolves the configuration's `User`: ``, `user`, `uid`, `user:group`
    /// and `uid:gid`, mixed too.
    ///
    /// A number that the files do not have is taken as it is, with group 0; a
    /// name that they do not have is an error. A group that is named outright
    /// replaces the user's own and its supplementary ones.
    pub fn resolve(&self, spec: &str) -> Result<Identity, Error> {
        let (user, group) = spec.split_once(':').unwrap_or((spec, ""));
        let wanted = if user.is_empty() { "0" } else { user };
        let number = wanted.parse::<u32>().ok();
        let known = self.find(wanted);
        let mut identity = match (known, number) {
            (Some(user), _) => Identity {
                uid: user.uid,
                gid: user.gid,
                groups: self.groups_of(&user.name),
                home: user.home.clone(),
            },
            (None, Some(uid)) => Identity {
                uid,
                gid: 0,
                groups: Vec::new(),
                home: String::new(),
            },
            (None, None) => {
                return Err(Error::UnknownUser {
                    user: wanted.to_owned(),
                });
            }
        };
        if !group.is_empty() {
            identity.gid = self.gid(group)?;
            identity.groups.clear();
        }
        if identity.home.is_empty() {
            identity.home = "/".to_owned();
        }
        Ok(identity)
    }

    fn groups_of(&self, user: &str) -> Vec<u32> {
        self.groups
            .iter()
            .filter(|group| group.members.iter().any(|member| member == user))
            .map(|group| group.gid)
            .collect()
    }

    fn gid(&self, group: &str) -> Result<u32, Error> {
        self.groups
            .iter()
            .find(|g| g.name == group)
            .map(|g| g.gid)
            .or_else(|| group.parse().ok())
            .ok_or_else(|| Error::UnknownGroup {
                group: group.to_owned(),
            })
    }
}

fn lines(file: &[u8]) -> impl Iterator<Item = &str> {
    file.split(|b| *b == b'\n')
        .take(MAX_LINES)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        Users::parse(
            b"root:x:0:0:root:/root:/bin/bash\n\
              broken line\n\
              app:x:1000:1001::/home/app:/bin/sh\n\
              nohome:x:7:7\n\
              42:x:4242:4243::/numeric:\n",
            b"root:x:0:\nvideo:x:44:other,app\napp:x:1001:\ndocker:x:999:app\n",
        )
    }

    fn identity(uid: u32, gid: u32, groups: &[u32], home: &str) -> Identity {
        Identity {
            uid,
            gid,
            groups: groups.to_vec(),
            home: home.to_owned(),
        }
    }

    #[test]
    fn every_form_of_user() {
        for (spec, expected) in [
            ("", identity(0, 0, &[], "/root")),
            ("root", identity(0, 0, &[], "/root")),
            ("app", identity(1000, 1001, &[44, 999], "/home/app")),
            ("1000", identity(1000, 1001, &[44, 999], "/home/app")),
            ("app:video", identity(1000, 44, &[], "/home/app")),
            ("app:5", identity(1000, 5, &[], "/home/app")),
            ("65532", identity(65532, 0, &[], "/")),
            ("65532:65532", identity(65532, 65532, &[], "/")),
            (":44", identity(0, 44, &[], "/root")),
            ("7", identity(7, 7, &[], "/")),
            // A name made of digits goes before the number.
            ("42", identity(4242, 4243, &[], "/numeric")),
        ] {
            assert_eq!(users().resolve(spec).unwrap(), expected, "{spec:?}");
        }
    }

    #[test]
    fn unknown_names_are_errors_and_unknown_numbers_are_not() {
        assert!(matches!(
            users().resolve("nobody"),
            Err(Error::UnknownUser { .. })
        ));
        assert!(matches!(
            users().resolve("app:wheel"),
            Err(Error::UnknownGroup { .. })
        ));
        assert!(users().resolve("4294967296").is_err());
        assert_eq!(
            Users::default().resolve("0").unwrap(),
            identity(0, 0, &[], "/")
        );
    }
}
