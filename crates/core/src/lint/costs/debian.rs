//! Debian's packages: what they need, and what they recommend.

/// What a package adds to a minimal system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of itself and what it depends on.
    pub own: u64,
    /// Bytes that its recommendations add to that.
    pub recommends: u64,
}

pub fn apt(package: &str) -> Option<Cost> {
    let at = PACKAGES
        .binary_search_by_key(&package, |(name, ..)| name)
        .ok()?;
    let (_, own, recommends) = PACKAGES[at];
    Some(Cost {
        own: own * 1024,
        recommends: recommends * 1024,
    })
}

/// Name, kB without recommendations, kB that recommendations add: bookworm on
/// amd64 on top of what `debian:bookworm-slim` holds, by Installed-Size, as
/// `scripts/lint-costs.py` prints it. Sorted.
#[rustfmt::skip]
static PACKAGES: &[(&str, u64, u64)] = &[
    ("autoconf", 2695, 1971),
    ("automake", 4666, 0),
    ("bash-completion", 1463, 0),
    ("bison", 3786, 0),
    ("build-essential", 267837, 77220),
    ("bzip2", 121, 0),
    ("ca-certificates", 8745, 0),
    ("cargo", 660106, 538310),
    ("chromium", 720887, 160680),
    ("clang", 401596, 536520),
    ("cmake", 93398, 259056),
    ("cron", 317, 19276),
    ("curl", 11703, 3691),
    ("default-jdk", 579611, 70007),
    ("default-jdk-headless", 301083, 55336),
    ("default-jre", 499882, 62645),
    ("default-jre-headless", 223890, 55336),
    ("default-libmysqlclient-dev", 44508, 56974),
    ("dnsutils", 52473, 273),
    ("dumb-init", 37, 0),
    ("emacs-nox", 298393, 157733),
    ("ffmpeg", 470097, 153409),
    ("file", 8441, 0),
    ("flex", 1911, 262523),
    ("fonts-liberation", 2093, 0),
    ("g++", 260915, 56974),
    ("gcc", 176018, 86250),
    ("gdb", 96137, 31440),
    ("gettext", 44819, 15394),
    ("gettext-base", 645, 0),
    ("ghostscript", 77881, 9918),
    ("git", 58686, 14649),
    ("git-lfs", 69641, 14649),
    ("gnupg", 19074, 6463),
    ("gnupg2", 19528, 6463),
    ("golang", 454068, 318165),
    ("golang-go", 453413, 318165),
    ("graphicsmagick", 86332, 78722),
    ("graphviz", 74268, 57359),
    ("gunicorn", 37612, 3021),
    ("htop", 1030, 45),
    ("imagemagick", 94101, 116049),
    ("inotify-tools", 225, 0),
    ("iproute2", 13659, 433),
    ("iputils-ping", 254, 53),
    ("jq", 1143, 0),
    ("less", 313, 0),
    ("libc6-dev", 29276, 56974),
    ("libcairo2-dev", 119789, 93059),
    ("libcurl4-openssl-dev", 12992, 3691),
    ("libffi-dev", 315, 0),
    ("libfreetype6-dev", 36555, 55080),
    ("libgdal-dev", 632715, 192951),
    ("libgeos-dev", 3671, 0),
    ("libgl1", 210995, 0),
    ("libgl1-mesa-glx", 211028, 0),
    ("libglib2.0-0", 4135, 52849),
    ("libgomp1", 312, 0),
    ("libicu-dev", 113947, 56974),
    ("libjpeg-dev", 31156, 56297),
    ("libjpeg62-turbo-dev", 31049, 56297),
    ("libldap2-dev", 2413, 6418),
    ("liblzma-dev", 726, 0),
    ("libmagic1", 8362, 0),
    ("libmagickwand-dev", 322837, 278127),
    ("libmariadb-dev", 44428, 56974),
    ("libmemcached-dev", 31281, 57258),
    ("libonig-dev", 899, 0),
    ("libpango-1.0-0", 15617, 52849),
    ("libpangocairo-1.0-0", 22415, 52849),
    ("libpng-dev", 31857, 56749),
    ("libpq-dev", 22483, 649),
    ("libpq5", 9682, 649),
    ("libpython3-dev", 81590, 56605),
    ("librdkafka-dev", 13060, 284),
    ("libreadline-dev", 33696, 57019),
    ("libreoffice", 538665, 1485176),
    ("libreoffice-writer", 418837, 841102),
    ("libsasl2-dev", 30405, 57258),
    ("libsm6", 716, 0),
    ("libsodium-dev", 1210, 0),
    ("libsqlite3-dev", 34108, 56974),
    ("libssl-dev", 18248, 0),
    ("libxml2-dev", 119100, 56974),
    ("libxslt1-dev", 122128, 56974),
    ("locales", 20197, 0),
    ("make", 1592, 0),
    ("nginx", 15326, 433),
    ("openssh-client", 14579, 4070),
    ("openssl", 8357, 0),
    ("pkg-config", 276, 0),
    ("postgresql-client", 19099, 649),
    ("procps", 2735, 954),
    ("python3", 32710, 3021),
    ("python3-dev", 92218, 59341),
    ("python3-pip", 46811, 371247),
    ("supervisor", 35469, 3021),
    ("tzdata", 0, 0),
    ("unzip", 380, 0),
    ("vim", 40761, 135),
    ("wget", 3617, 9084),
    ("zlib1g-dev", 30586, 56974),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(PACKAGES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(apt("ca-certificates").map(|cost| cost.recommends), Some(0));
        assert_eq!(apt("no-such-package"), None);
    }
}
