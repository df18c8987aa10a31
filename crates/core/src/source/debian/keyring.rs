//! Keys that may sign an archive's index, and what they signed.
//!
//! rPGP checks one signature against one key. Which key may sign at all is
//! decided here: bindings, flags, expiry and revocation (RFC 9580, sections
//! 5.2.3, 10.1 and 13.2; RFC 4880 for the certificates that Debian has today).

use std::fmt;

use pgp::composed::{CleartextSignedMessage, Deserializable, SignedPublicKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType, SignatureVersion, SubpacketData};
use pgp::types::{KeyDetails, KeyVersion, Tag, VerifyingKey};

/// How far ahead of ours the signer's clock may be, in seconds.
const CLOCK_SLACK: i64 = 24 * 60 * 60;

/// More certificates or signatures than anybody has reason to send.
const MAX_SIGNATURES: usize = 32;
const MAX_CERTIFICATES: usize = 1000;

/// The keys of Debian 11 to 13: each release is signed by its own and by its
/// neighbours' keys (packages `debian-archive-keyring`).
const EMBEDDED: [&[u8]; 9] = [
    include_bytes!("../../../keys/debian-archive-bullseye-automatic.gpg"),
    include_bytes!("../../../keys/debian-archive-bullseye-security-automatic.gpg"),
    include_bytes!("../../../keys/debian-archive-bullseye-stable.gpg"),
    include_bytes!("../../../keys/debian-archive-bookworm-automatic.gpg"),
    include_bytes!("../../../keys/debian-archive-bookworm-security-automatic.gpg"),
    include_bytes!("../../../keys/debian-archive-bookworm-stable.gpg"),
    include_bytes!("../../../keys/debian-archive-trixie-automatic.gpg"),
    include_bytes!("../../../keys/debian-archive-trixie-security-automatic.gpg"),
    include_bytes!("../../../keys/debian-archive-trixie-stable.gpg"),
];

/// Why a text is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    #[error("it is not signed: {0}")]
    Unsigned(String),
    #[error("its content does not match the signature of key {0}: it was changed after signing")]
    Tampered(String),
    #[error("it is signed by keys that are not the archive's: {}", .0.join(", "))]
    UnknownKey(Vec<String>),
    #[error("no signature of it counts: {}", .0.join("; "))]
    NoGoodSignature(Vec<String>),
}

/// Keys that are trusted.
#[derive(Clone, Default)]
pub struct Keyring {
    certificates: Vec<SignedPublicKey>,
}

/// A text that a trusted key signed, exactly as it was signed (line ends apart,
/// which the signature does not cover).
#[derive(Debug, Clone)]
pub struct Verified {
    text: String,
    signers: Vec<String>,
}

impl Verified {
    /// A text that nobody vouches for, for fuzzing what reads it.
    pub(super) fn unchecked(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            signers: Vec::new(),
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Fingerprints of the keys whose signatures are good.
    pub fn signers(&self) -> &[String] {
        &self.signers
    }
}

impl Keyring {
    /// Debian's own keys, which whit carries with it.
    pub fn embedded() -> Result<Self, pgp::errors::Error> {
        let mut keyring = Self::default();
        for bytes in EMBEDDED {
            keyring.add(bytes)?;
        }
        Ok(keyring)
    }

    /// Adds the certificates of a keyring file, binary or armoured.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), pgp::errors::Error> {
        let (certificates, _) = SignedPublicKey::from_reader_many(bytes)?;
        for certificate in certificates.take(MAX_CERTIFICATES) {
            let certificate = certificate?;
            self.merge(certificate);
        }
        Ok(())
    }

    /// Two copies of a certificate are one that knows what both know: a
    /// longer life or a revocation may stand in either.
    fn merge(&mut self, new: SignedPublicKey) {
        let Some(old) = self
            .certificates
            .iter_mut()
            .find(|old| old.primary_key == new.primary_key)
        else {
            self.certificates.push(new);
            return;
        };
        let details = &mut old.details;
        append(
            &mut details.revocation_signatures,
            new.details.revocation_signatures,
        );
        append(
            &mut details.direct_signatures,
            new.details.direct_signatures,
        );
        for user in new.details.users {
            match details.users.iter_mut().find(|old| old.id == user.id) {
                Some(old) => append(&mut old.signatures, user.signatures),
                None => details.users.push(user),
            }
        }
        for subkey in new.public_subkeys {
            match old
                .public_subkeys
                .iter_mut()
                .find(|old| old.key == subkey.key)
            {
                Some(old) => append(&mut old.signatures, subkey.signatures),
                None => old.public_subkeys.push(subkey),
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// Checks a text in the clear-text signature framework (RFC 9580, section
    /// 7), as `InRelease` is one, at the time `now` (seconds since the epoch).
    ///
    /// One good signature suffices, but a bad one by a trusted key never
    /// passes: it proves that the text was changed.
    pub fn verify(&self, message: &str, now: i64) -> Result<Verified, Distrust> {
        if !message.contains("-----BEGIN PGP SIGNED MESSAGE-----") {
            return Err(Distrust::Unsigned("it has no signature".into()));
        }
        let (message, _) = CleartextSignedMessage::from_string(message)
            .map_err(|error| Distrust::Unsigned(error.to_string()))?;
        let signed = message.signed_text();
        let mut signers = Vec::new();
        let mut unknown = Vec::new();
        let mut rejected = Vec::new();
        for signature in message.signatures().iter().take(MAX_SIGNATURES) {
            match self.check(signature, signed.as_bytes(), now) {
                Outcome::Good(key) => signers.push(key),
                Outcome::Bad(key) => return Err(Distrust::Tampered(key)),
                Outcome::Unknown(key) => unknown.push(key),
                Outcome::Rejected(why) => rejected.push(why),
            }
        }
        if !signers.is_empty() {
            return Ok(Verified {
                text: signed.replace("\r\n", "\n"),
                signers,
            });
        }
        Err(if !rejected.is_empty() {
            Distrust::NoGoodSignature(rejected)
        } else if unknown.is_empty() {
            Distrust::Unsigned("it has no signature".into())
        } else {
            Distrust::UnknownKey(unknown)
        })
    }

    fn check(&self, signature: &Signature, signed: &[u8], now: i64) -> Outcome {
        // Anything else, made over the same bytes, would mean something else.
        if !matches!(
            signature.typ(),
            Some(SignatureType::Text | SignatureType::Binary)
        ) {
            return Outcome::Rejected("a signature is not one of a text".into());
        }
        for certificate in &self.certificates {
            let primary = &certificate.primary_key;
            if is_by(signature, primary) {
                let usable = check_primary(certificate, now);
                return conclude(signature, primary, usable, signed, now);
            }
            for subkey in &certificate.public_subkeys {
                if is_by(signature, &subkey.key) {
                    let usable = check_subkey(certificate, subkey, now);
                    return conclude(signature, &subkey.key, usable, signed, now);
                }
            }
        }
        Outcome::Unknown(issuer(signature))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.certificates.iter().map(name);
        f.debug_list().entries(names).finish()
    }
}

enum Outcome {
    Good(String),
    Bad(String),
    Unknown(String),
    Rejected(String),
}

fn conclude(
    signature: &Signature,
    key: &impl VerifyingKey,
    usable: Result<(), String>,
    signed: &[u8],
    now: i64,
) -> Outcome {
    if let Err(why) = usable.and_then(|()| check_signature(signature, now)) {
        return Outcome::Rejected(format!("key {}: {why}", name(key)));
    }
    match signature.verify(key, signed) {
        Ok(()) => Outcome::Good(name(key)),
        Err(_) => Outcome::Bad(name(key)),
    }
}

/// What every signature must be, whatever it is about.
fn check_signature(signature: &Signature, now: i64) -> Result<(), String> {
    if !matches!(
        signature.version(),
        SignatureVersion::V4 | SignatureVersion::V6
    ) {
        return Err("a signature of an obsolete version".into());
    }
    match signature.hash_alg() {
        Some(
            HashAlgorithm::Sha256
            | HashAlgorithm::Sha384
            | HashAlgorithm::Sha512
            | HashAlgorithm::Sha3_256
            | HashAlgorithm::Sha3_512,
        ) => {}
        other => {
            let hash = other.map_or("?".into(), |hash| hash.to_string());
            return Err(format!("{hash} is too weak a hash for a signature"));
        }
    }
    // RFC 9580, section 5.2.3.7: what is critical and not understood voids it.
    let unknown = signature.config().is_some_and(|config| {
        config.hashed_subpackets().any(|packet| {
            packet.is_critical
                && matches!(
                    packet.data,
                    SubpacketData::Experimental(..) | SubpacketData::Other(..)
                )
        })
    });
    if unknown {
        return Err("a signature with a critical part that whit does not know".into());
    }
    let Some(created) = signature.created() else {
        return Err("a signature without a date".into());
    };
    let created = i64::from(created.as_secs());
    if created > now + CLOCK_SLACK {
        return Err("a signature from the future".into());
    }
    match signature.signature_expiration_time() {
        Some(life) if life.as_secs() > 0 && created + i64::from(life.as_secs()) <= now => {
            Err("the signature has expired".into())
        }
        _ => Ok(()),
    }
}

/// May the primary key itself sign texts?
fn check_primary(certificate: &SignedPublicKey, now: i64) -> Result<(), String> {
    let own = check_certificate(certificate, now)?;
    if own.key_flags().sign() {
        Ok(())
    } else {
        Err("it is not meant for signing".into())
    }
}

/// Is the certificate alive? Returns the newest self-signature, which says what
/// the primary key is for.
fn check_certificate(certificate: &SignedPublicKey, now: i64) -> Result<&Signature, String> {
    let primary = &certificate.primary_key;
    let details = &certificate.details;
    check_key(primary, now)?;
    if details
        .revocation_signatures
        .iter()
        .any(|signature| signature.verify_key(primary).is_ok())
    {
        return Err("it was revoked".into());
    }
    let of_users = details.users.iter().filter_map(|user| {
        let verifies = |signature: &Signature| {
            is_by(signature, primary)
                && signature
                    .verify_certification(primary, Tag::UserId, &user.id)
                    .is_ok()
        };
        let is_revocation =
            |signature: &Signature| signature.typ() == Some(SignatureType::CertRevocation);
        let is_revoked = user
            .signatures
            .iter()
            .any(|one| is_revocation(one) && verifies(one));
        if is_revoked {
            return None;
        }
        newest(&user.signatures, now, verifies)
    });
    let of_key = newest(&details.direct_signatures, now, |signature| {
        signature.verify_key(primary).is_ok()
    });
    if let Some(of_key) = of_key {
        check_expiry(primary, of_key, now)?;
    }
    let own = of_users
        .max_by_key(|signature| signature.created())
        .or(of_key)
        .ok_or("no signature of its own vouches for it")?;
    check_expiry(primary, own, now)?;
    Ok(own)
}

/// May this subkey sign texts in the name of its certificate?
fn check_subkey(
    certificate: &SignedPublicKey,
    subkey: &pgp::composed::SignedPublicSubKey,
    now: i64,
) -> Result<(), String> {
    check_certificate(certificate, now)?;
    check_key(&subkey.key, now)?;
    let primary = &certificate.primary_key;
    let verifies = |signature: &Signature| {
        signature
            .verify_subkey_binding(primary, &subkey.key)
            .is_ok()
    };
    let is_revocation =
        |signature: &Signature| signature.typ() == Some(SignatureType::SubkeyRevocation);
    if subkey
        .signatures
        .iter()
        .any(|one| is_revocation(one) && verifies(one))
    {
        return Err("it was revoked".into());
    }
    let binding =
        newest(&subkey.signatures, now, verifies).ok_or("nothing binds it to the archive's key")?;
    check_expiry(&subkey.key, binding, now)?;
    if !binding.key_flags().sign() {
        return Err("it is not meant for signing".into());
    }
    // A signing subkey must agree to its binding, or anybody could adopt it.
    let back = binding
        .embedded_signature()
        .ok_or("it does not say itself that it belongs to the archive's key")?;
    check_signature(back, now)?;
    back.verify_primary_key_binding(&subkey.key, primary)
        .map_err(|_| "what it says of its binding is wrong".into())
}

fn check_key(key: &impl KeyDetails, now: i64) -> Result<(), String> {
    if !matches!(key.version(), KeyVersion::V4 | KeyVersion::V6) {
        return Err("it is of an obsolete version".into());
    }
    if i64::from(key.created_at().as_secs()) > now + CLOCK_SLACK {
        return Err("it comes from the future".into());
    }
    Ok(())
}

fn check_expiry(key: &impl KeyDetails, own: &Signature, now: i64) -> Result<(), String> {
    match own.key_expiration_time() {
        Some(life)
            if life.as_secs() > 0
                && i64::from(key.created_at().as_secs()) + i64::from(life.as_secs()) <= now =>
        {
            Err("it has expired".into())
        }
        _ => Ok(()),
    }
}

/// The newest signature that counts; of self-signatures only that one does.
/// Checking one is the dear part, so the newest is checked first.
fn newest(
    signatures: &[Signature],
    now: i64,
    verifies: impl Fn(&Signature) -> bool,
) -> Option<&Signature> {
    let mut sound: Vec<&Signature> = signatures
        .iter()
        .filter(|signature| check_signature(signature, now).is_ok())
        .collect();
    sound.sort_by_key(|signature| std::cmp::Reverse(signature.created()));
    sound.into_iter().find(|signature| verifies(signature))
}

fn append(to: &mut Vec<Signature>, from: Vec<Signature>) {
    for signature in from {
        if !to.contains(&signature) {
            to.push(signature);
        }
    }
}

/// Does the signature say that this key made it?
fn is_by(signature: &Signature, key: &impl KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        let ids = signature.issuer_key_id();
        return ids.contains(&&key.legacy_key_id());
    }
    fingerprints.contains(&&key.fingerprint())
}

fn issuer(signature: &Signature) -> String {
    if let Some(fingerprint) = signature.issuer_fingerprint().first() {
        return format!("{fingerprint:X}");
    }
    signature
        .issuer_key_id()
        .first()
        .map_or("unnamed".into(), |id| id.to_string().to_uppercase())
}

fn name(key: &impl KeyDetails) -> String {
    format!("{:X}", key.fingerprint())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with gpg: an archive with a certifying primary key and a signing
    // subkey that expires at the end of 2027, and a stranger who signs with a
    // subkey, too. `revoked` is the archive's certificate after its subkey
    // was revoked in 2026.
    const ARCHIVE: &[u8] = include_bytes!("testdata/archive.gpg");
    const REVOKED: &[u8] = include_bytes!("testdata/revoked.gpg");
    /// The same after the subkey was rededicated to authentication.
    const OTHER_USE: &[u8] = include_bytes!("testdata/other-use.gpg");
    const STRANGER: &[u8] = include_bytes!("testdata/stranger.gpg");
    const GOOD: &str = include_str!("testdata/good.asc");
    const BY_STRANGER: &str = include_str!("testdata/stranger.asc");
    const BY_BOTH: &str = include_str!("testdata/both.asc");
    const SHA1: &str = include_str!("testdata/sha1.asc");

    /// 1 July 2026.
    const NOW: i64 = 1_782_864_000;
    const YEAR: i64 = 366 * 24 * 60 * 60;

    fn keyring(bytes: &[u8]) -> Keyring {
        let mut keyring = Keyring::default();
        keyring.add(bytes).unwrap();
        keyring
    }

    fn reject(keyring: &Keyring, text: &str, now: i64) -> String {
        keyring.verify(text, now).unwrap_err().to_string()
    }

    #[test]
    fn what_was_signed_is_what_is_read() {
        let verified = keyring(ARCHIVE).verify(GOOD, NOW).unwrap();
        assert!(verified.text().starts_with("Origin: Debian\n"));
        // The line that begins with a dash was escaped in the signed form.
        assert!(verified.text().contains("\n-dash: 1\n"));
        assert_eq!(verified.signers().len(), 1);
    }

    #[test]
    fn one_good_signature_suffices() {
        let verified = keyring(ARCHIVE).verify(BY_BOTH, NOW).unwrap();
        assert_eq!(verified.signers().len(), 1);
    }

    #[test]
    fn every_change_shows() {
        let keyring = keyring(ARCHIVE);
        let changed = GOOD.replacen("bookworm", "bookwurm", 1);
        assert!(matches!(
            keyring.verify(&changed, NOW),
            Err(Distrust::Tampered(_))
        ));
        let added = GOOD.replacen("Origin", "Extra: 1\nOrigin", 1);
        assert!(keyring.verify(&added, NOW).is_err());
        // A second paragraph before, after or around the signed one.
        for text in [
            format!("Origin: Evil\n\n{GOOD}"),
            format!("{GOOD}\nOrigin: Evil\n"),
            format!("{GOOD}{GOOD}"),
        ] {
            assert!(keyring.verify(&text, NOW).is_err());
        }
        for end in (0..GOOD.len()).step_by(7) {
            assert!(keyring.verify(&GOOD[..end], NOW).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn unsigned_and_unknown() {
        let keyring = keyring(ARCHIVE);
        assert!(reject(&keyring, "Origin: Debian\n", NOW).contains("not signed"));
        assert!(reject(&keyring, "", NOW).contains("not signed"));
        assert!(matches!(
            keyring.verify(BY_STRANGER, NOW),
            Err(Distrust::UnknownKey(keys)) if keys.len() == 1
        ));
    }

    #[test]
    fn weak_hashes_do_not_count() {
        assert!(reject(&keyring(ARCHIVE), SHA1, NOW).contains("SHA1 is too weak"));
    }

    #[test]
    fn a_key_has_its_time() {
        let keyring = keyring(ARCHIVE);
        assert!(reject(&keyring, GOOD, NOW + 2 * YEAR).contains("expired"));
        assert!(reject(&keyring, GOOD, NOW - 8 * YEAR).contains("future"));
    }

    #[test]
    fn a_revocation_counts_even_if_another_copy_lacks_it() {
        assert!(reject(&keyring(REVOKED), GOOD, NOW).contains("revoked"));
        let mut both = keyring(ARCHIVE);
        both.add(REVOKED).unwrap();
        assert!(reject(&both, GOOD, NOW).contains("revoked"));
    }

    #[test]
    fn a_key_signs_only_what_it_is_meant_for() {
        assert!(reject(&keyring(OTHER_USE), GOOD, NOW).contains("not meant for signing"));
    }

    #[test]
    fn a_grafted_subkey_is_not_the_archives() {
        let mut keyring = keyring(ARCHIVE);
        let (stranger, _) = SignedPublicKey::from_reader_single(STRANGER).unwrap();
        let subkeys = stranger.public_subkeys;
        keyring.certificates[0].public_subkeys.extend(subkeys);
        assert!(reject(&keyring, BY_STRANGER, NOW).contains("nothing binds it"));
    }

    #[test]
    fn the_embedded_keys_are_alive() {
        let keyring = Keyring::embedded().unwrap();
        assert_eq!(keyring.certificates.len(), 9);
        for certificate in &keyring.certificates {
            let ok = check_primary(certificate, NOW).is_ok()
                && certificate
                    .public_subkeys
                    .iter()
                    .all(|subkey| check_subkey(certificate, subkey, NOW).is_ok());
            assert!(ok, "{}", name(certificate));
        }
    }
}
