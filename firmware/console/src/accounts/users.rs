//! Users and tokens of programs, as they are kept.
//!
//! Not here: their sessions.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use store::shelf::Shelf;
use store::{StoreError, Wall};

use super::{Password, PasswordError, Role, hex};

const USERS: &str = "user";
const TOKENS: &str = "token";

/// What every token begins with, so that it is known where it has been lost.
const TOKEN_MARK: &str = "pst_";

/// The name of a user or a token: 1 to 64 characters that need no care anywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Name(String);

/// A name that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 64 characters: letters, digits and any of . _ - @")]
pub(crate) struct NameError;

impl Name {
    pub(crate) fn new(name: &str) -> Result<Self, NameError> {
        let is_good = |char: char| char.is_ascii_alphanumeric() || "._-@".contains(char);
        let is_name = (1..=64).contains(&name.len()) && name.chars().all(is_good);
        is_name.then(|| Self(name.to_owned())).ok_or(NameError)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) name: Name,
    #[serde(flatten)]
    pub(crate) role: Role,
    pub(crate) password: Password,
    pub(crate) since: Wall,
}

/// What a program shows instead of a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) name: Name,
    #[serde(flatten)]
    pub(crate) role: Role,
    hash: String,
    pub(crate) by: String,
    pub(crate) since: Wall,
}

/// What could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsersError {
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another one has the name.
    #[error("the name is taken")]
    Taken,
    /// There is none of that name.
    #[error("there is none of that name")]
    Unknown,
    /// Nobody would be left who may administer.
    #[error("the last admin stays an admin")]
    LastAdmin,
    /// The password is not taken.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// All users and tokens.
#[derive(Debug)]
pub(crate) struct Users {
    shelf: Shelf,
}

impl Users {
    pub(crate) fn on(shelf: Shelf) -> Self {
        Self { shelf }
    }

    pub(crate) fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.list()?.is_empty())
    }

    pub(crate) fn list(&self) -> Result<Vec<User>, StoreError> {
        self.shelf.all(USERS)
    }

    pub(crate) fn find(&self, name: &str) -> Result<Option<User>, StoreError> {
        self.shelf.read(USERS, name)
    }

    /// Adds a user whose name is free.
    pub(crate) fn add(&self, user: &User) -> Result<(), UsersError> {
        self.shelf.change(|change| {
            let name = user.name.as_str();
            if change.read::<User>(USERS, name)?.is_some() {
                return Err(UsersError::Taken);
            }
            Ok(change.put(USERS, name, user)?)
        })
    }

    /// Adds the first user of all; nobody else can be that.
    pub(crate) fn add_first(&self, user: &User) -> Result<(), UsersError> {
        self.shelf.change(|change| {
            if !change.all::<User>(USERS)?.is_empty() {
                return Err(UsersError::Taken);
            }
            Ok(change.put(USERS, user.name.as_str(), user)?)
        })
    }

    /// Changes a user.
    pub(crate) fn change(
        &self,
        name: &str,
        edit: impl FnOnce(&mut User),
    ) -> Result<User, UsersError> {
        self.shelf.change(|change| {
            let mut user: User = change.read(USERS, name)?.ok_or(UsersError::Unknown)?;
            let was_admin = user.role == Role::Admin;
            edit(&mut user);
            if was_admin && user.role != Role::Admin && admins(&change.all(USERS)?) < 2 {
                return Err(UsersError::LastAdmin);
            }
            change.put(USERS, name, &user)?;
            Ok(user)
        })
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), UsersError> {
        self.shelf.change(|change| {
            let user: User = change.read(USERS, name)?.ok_or(UsersError::Unknown)?;
            if user.role == Role::Admin && admins(&change.all(USERS)?) < 2 {
                return Err(UsersError::LastAdmin);
            }
            change.remove(USERS, name)?;
            Ok(())
        })
    }

    pub(crate) fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.shelf.all(TOKENS)
    }

    /// Makes a token; gives what its program is to show, which is told this once.
    pub(crate) fn add_token(
        &self,
        name: Name,
        role: Role,
        by: &str,
        now: Wall,
        chance: [u8; 32],
    ) -> Result<String, UsersError> {
        let secret = format!("{TOKEN_MARK}{}", hex(&chance));
        let token = Token {
            hash: hash(&secret),
            name,
            role,
            by: by.to_owned(),
            since: now,
        };
        self.shelf.change(|change| {
            let name = token.name.as_str();
            if change.read::<Token>(TOKENS, name)?.is_some() {
                return Err(UsersError::Taken);
            }
            Ok::<_, UsersError>(change.put(TOKENS, name, &token)?)
        })?;
        Ok(secret)
    }

    /// The token that a program shows.
    pub(crate) fn token(&self, secret: &str) -> Result<Option<Token>, StoreError> {
        if !secret.starts_with(TOKEN_MARK) {
            return Ok(None);
        }
        let hash = hash(secret);
        // By its hash: how long it takes to find one tells nothing of the secret.
        Ok(self.tokens()?.into_iter().find(|token| token.hash == hash))
    }

    pub(crate) fn remove_token(&self, name: &str) -> Result<(), UsersError> {
        if self.shelf.remove(TOKENS, name)? {
            Ok(())
        } else {
            Err(UsersError::Unknown)
        }
    }
}

fn admins(users: &[User]) -> usize {
    users.iter().filter(|user| user.role == Role::Admin).count()
}

fn hash(secret: &str) -> String {
    hex(digest(&SHA256, secret.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_no_care_anywhere() {
        for good in ["ana", "ana.b-c_d@example.com", "A1"] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "a b", "<b>", "a/b", "ä", "a\n", &"x".repeat(65)] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
    }
}
