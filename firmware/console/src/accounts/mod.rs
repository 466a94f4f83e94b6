//! Who may do what: users, their roles, their sessions, tokens of programs, and the code by which the first user enters.
//!
//! There is no password that comes with the box. Until there is a user, whoever knows the set-up code, which is shown where only
//! somebody at the box can read it, makes the first one; then the code is worth nothing.
//!
//! Not here: requests (`access`), what is done with a right.

mod attempts;
mod password;
mod role;
mod sessions;
mod users;

pub(crate) use attempts::Attempts;
pub(crate) use password::{Password, PasswordError};
pub(crate) use role::{Right, Role, Scope};
pub(crate) use sessions::{Session, Sessions};
pub(crate) use users::{Name, NameError, User, Users, UsersError};

/// Hexadecimal digits of octets.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The code by which the first user enters: four groups that can be read aloud, without letters that look like others.
pub(crate) fn setup_code(octets: [u8; 16]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let letters: Vec<char> = octets
        .iter()
        .map(|octet| char::from(LETTERS[usize::from(octet % 32)]))
        .collect();
    let groups: Vec<String> = letters
        .chunks(4)
        .map(|group| group.iter().collect())
        .collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setup_code_can_be_read_aloud() {
        assert_eq!(setup_code([0; 16]), "AAAA-AAAA-AAAA-AAAA");
        let code = setup_code([
            31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 255,
        ]);
        assert_eq!(code, "9876-5432-ZYXW-VUT9");
    }
}
