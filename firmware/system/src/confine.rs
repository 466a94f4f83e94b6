//! A program of ours with as little as it needs: `postern confine --user N [--keep CAPABILITY]… [--read PATH]… [--write PATH]… --
//! ARGUMENTS` lets go of everything else and becomes `postern ARGUMENTS`.
//!
//! What is let go of: root, every capability but those kept, gaining any by other programs, and by landlock every file but those
//! named. The process is the same one, so its parent's eyes stay on it.
//!
//! Not here: who needs what (`init`).

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    path_beneath_rules,
};
use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, configure_capability_in_ambient_set, set_capabilities,
    set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};

/// What a process is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// User and group.
    pub user: u32,
    /// Capabilities that it keeps.
    pub keep: CapabilitySet,
    /// What it may read, with all below.
    pub read: Vec<PathBuf>,
    /// What it may change, with all below.
    pub write: Vec<PathBuf>,
    /// What it becomes.
    pub arguments: Vec<OsString>,
}

/// The capabilities that a plane may ask to keep.
const CAPABILITIES: [(&str, CapabilitySet); 4] = [
    ("net_bind_service", CapabilitySet::NET_BIND_SERVICE),
    ("net_raw", CapabilitySet::NET_RAW),
    ("net_admin", CapabilitySet::NET_ADMIN),
    ("bpf", CapabilitySet::BPF),
];

/// Why a process is not confined, and so not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The line is wrong.
    #[error("confine: '{0}' is not understood")]
    Line(String),
    /// The kernel refuses.
    #[error("confine: {0}")]
    Kernel(#[from] io::Error),
    /// Landlock refuses.
    #[error("confine: {0}")]
    Files(#[from] RulesetError),
}

impl Order {
    /// Reads the arguments after `confine`.
    ///
    /// # Errors
    /// Where one is not known.
    pub fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let mut order = Self {
            user: 0,
            keep: CapabilitySet::empty(),
            read: Vec::new(),
            write: Vec::new(),
            arguments: Vec::new(),
        };
        let mut line = line.into_iter();
        while let Some(word) = line.next() {
            if word == "--" {
                order.arguments = line.collect();
                break;
            }
            let wrong = || Error::Line(word.to_string_lossy().into_owned());
            let value = line.next().ok_or_else(wrong)?;
            match word.to_str() {
                Some("--user") => {
                    let user = value.to_str().and_then(|text| text.parse().ok());
                    order.user = user.ok_or_else(wrong)?;
                }
                Some("--keep") => {
                    let known = CAPABILITIES.iter().find(|(name, _)| value == *name);
                    order.keep |= known.ok_or_else(wrong)?.1;
                }
                Some("--read") => order.read.push(value.into()),
                Some("--write") => order.write.push(value.into()),
                _ => return Err(wrong()),
            }
        }
        if order.user == 0 || order.arguments.is_empty() {
            return Err(Error::Line("--user N … -- ARGUMENTS".to_owned()));
        }
        Ok(order)
    }

    /// The line that [`Self::parse`] reads.
    #[must_use]
    pub fn line(&self) -> Vec<OsString> {
        let mut line: Vec<OsString> = vec!["--user".into(), self.user.to_string().into()];
        let kept = CAPABILITIES
            .iter()
            .filter(|(_, capability)| self.keep.contains(*capability));
        line.extend(kept.flat_map(|(name, _)| ["--keep".into(), (*name).into()]));
        for (word, paths) in [("--read", &self.read), ("--write", &self.write)] {
            line.extend(paths.iter().flat_map(|path| [word.into(), path.into()]));
        }
        line.push("--".into());
        line.extend(self.arguments.iter().cloned());
        line
    }

    /// Lets go of the rest and becomes `program`. Comes back only to say why not.
    #[must_use]
    pub fn carry_out(&self, program: &Path) -> Error {
        match self.let_go(program) {
            Ok(()) => Error::Kernel(Command::new(program).args(&self.arguments).exec()),
            Err(error) => error,
        }
    }

    fn let_go(&self, program: &Path) -> Result<(), Error> {
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.user));
        let kernel = |result: rustix::io::Result<()>| result.map_err(io::Error::from);
        // There is one thread so early, so what is the thread's is the process's.
        kernel(set_keep_capabilities(true))?;
        kernel(set_thread_groups(&[]))?;
        kernel(set_thread_res_gid(group, group, group))?;
        kernel(set_thread_res_uid(user, user, user))?;
        let sets = CapabilitySets {
            effective: self.keep,
            permitted: self.keep,
            inheritable: self.keep,
        };
        kernel(set_capabilities(None, sets))?;
        for capability in self.keep.iter() {
            kernel(configure_capability_in_ambient_set(capability, true))?;
        }
        kernel(set_no_new_privs(true))?;
        self.limit_files(program)
    }

    /// A kernel that knows only some of these limits holds those; one that knows none would be an older one than we ship.
    fn limit_files(&self, program: &Path) -> Result<(), Error> {
        let abi = ABI::V2;
        let all = AccessFs::from_all(abi);
        // A static program asks for chance through the files if its libraries do not find the call.
        let devices = ["/dev/null", "/dev/random", "/dev/urandom"].map(Path::new);
        Ruleset::default()
            .handle_access(all)?
            .create()?
            .add_rules(path_beneath_rules([program], AccessFs::from_read(abi)))?
            .add_rules(path_beneath_rules(
                devices,
                AccessFs::ReadFile | AccessFs::WriteFile,
            ))?
            .add_rules(path_beneath_rules(&self.read, AccessFs::from_read(abi)))?
            .add_rules(path_beneath_rules(&self.write, all))?
            .restrict_self()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Order, Error> {
        Order::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn an_order_is_read_as_it_is_written() {
        let line = "--user 990 --keep net_bind_service --keep bpf --read /etc --write /run/postern -- control --run /run/postern";
        let order = parse(line).expect("an order");
        assert_eq!(order.user, 990);
        assert_eq!(
            order.keep,
            CapabilitySet::NET_BIND_SERVICE | CapabilitySet::BPF
        );
        assert_eq!(order.arguments, ["control", "--run", "/run/postern"]);
        assert_eq!(Order::parse(order.line()).expect("the same"), order);
    }

    #[test]
    fn what_is_not_understood_is_not_run() {
        for line in [
            "",
            "-- control",
            "--user 0 -- control",
            "--user 990",
            "--user x -- control",
            "--user 990 --keep sys_admin -- control",
            "--user 990 --keep",
            "--user 990 --other x -- control",
        ] {
            assert!(parse(line).is_err(), "{line:?}");
        }
    }
}
