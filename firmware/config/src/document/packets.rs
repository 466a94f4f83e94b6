//! How media's packets come and go: `packets`, `interface` and `owner` of `[media]`.
//!
//! Whether the machine can do it is known when media starts, not here: it then uses sockets, and says so.

use super::media::Media;
use crate::finding::Problem;
use crate::read::{Section, field_of_words};

/// How media's packets come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packets {
    /// By the kernel's UDP sockets.
    Sockets,
    /// By the queues of an interface, past the kernel; by sockets where that is not to be had.
    AfXdp {
        /// The interface that has the media address, or that it is reached by.
        interface: String,
        /// Whose the media address is.
        owner: Owner,
    },
}

/// Whose the media address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The interface has it.
    Interface,
    /// Media alone has it, and answers for it.
    Media,
}

field_of_words!(Owner, "\"interface\" or \"media\"", "interface" => Owner::Interface, "media" => Owner::Media);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sockets,
    AfXdp,
}

field_of_words!(Kind, "\"sockets\" or \"af_xdp\"", "sockets" => Kind::Sockets, "af_xdp" => Kind::AfXdp);

impl Packets {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        match section.or("packets", Kind::Sockets) {
            Kind::AfXdp => Self::AfXdp {
                interface: section.must("interface", String::new()).value,
                owner: section.or("owner", Owner::Interface),
            },
            Kind::Sockets => {
                if let Some(interface) = section.maybe::<String>("interface") {
                    let problem = Problem::Conflict {
                        what: "sockets are of no interface",
                        cure: "Set packets = \"af_xdp\", or remove interface.",
                    };
                    section.fault(Some(&interface.span), "interface", problem);
                }
                if let Some(owner) = section.maybe::<Owner>("owner") {
                    let problem = Problem::Conflict {
                        what: "what comes by sockets comes to an address of the kernel's",
                        cure: "Set packets = \"af_xdp\", or remove owner.",
                    };
                    section.fault(Some(&owner.span), "owner", problem);
                }
                Self::Sockets
            }
        }
    }
}

impl Media {
    /// What keeps packets from passing as they are to.
    pub(crate) fn packets_problem(&self) -> Option<Problem> {
        let is_for_all = self.faces.iter().any(|face| face.bound.is_unspecified());
        let by_frames = matches!(self.packets, Packets::AfXdp { .. });
        (is_for_all && by_frames).then_some(Problem::Conflict {
            what: "frames are for one address, and media.address is the word for all of them",
            cure: "Give media the address that the interface has, or set packets = \"sockets\".",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(settings: &str) -> Result<Media, String> {
        let text = format!("version = 1\n[media]\n{settings}");
        match crate::parse(&text) {
            Ok(document) => Ok(document.media),
            Err(findings) => Err(findings.to_string()),
        }
    }

    #[test]
    fn sockets_unless_an_interface_is_named() {
        let packets = |settings| media(settings).map(|media| media.packets);
        assert_eq!(packets("address = \"192.0.2.1\""), Ok(Packets::Sockets));
        let by_frames = "address = \"192.0.2.1\"\npackets = \"af_xdp\"\ninterface = \"eth0\"";
        for (owner, line) in [
            (Owner::Interface, ""),
            (Owner::Interface, "\nowner = \"interface\""),
            (Owner::Media, "\nowner = \"media\""),
        ] {
            let interface = "eth0".to_owned();
            let media = media(&format!("{by_frames}{line}"));
            assert_eq!(
                media.map(|media| media.packets),
                Ok(Packets::AfXdp { interface, owner })
            );
        }
    }

    #[test]
    fn what_does_not_go_together_is_told_with_its_cure() {
        for (settings, finding) in [
            (
                "address = \"192.0.2.1\"\npackets = \"af_xdp\"",
                "line 2, column 1: media: \"interface\" is missing. Add interface: a text.",
            ),
            (
                "address = \"192.0.2.1\"\ninterface = \"eth0\"",
                "line 4, column 13: media.interface: sockets are of no interface. Set packets = \"af_xdp\", or remove interface.",
            ),
            (
                "address = \"192.0.2.1\"\nowner = \"media\"",
                "line 4, column 9: media.owner: what comes by sockets comes to an address of the kernel's. Set packets = \"af_xdp\", or remove owner.",
            ),
            (
                "address = \"0.0.0.0\"\nadvertised = \"192.0.2.1\"\npackets = \"af_xdp\"\ninterface = \"eth0\"",
                "line 5, column 11: media.packets: frames are for one address, and media.address is the word for all of them. Give media the address that the interface has, or set packets = \"sockets\".",
            ),
            (
                "address = \"192.0.2.1\"\npackets = \"dpdk\"",
                "line 4, column 11: media.packets: \"dpdk\" cannot stand here. Write \"sockets\" or \"af_xdp\".",
            ),
        ] {
            let findings = media(settings).expect_err(finding);
            assert!(findings.lines().any(|line| line == finding), "{findings}");
        }
    }
}
