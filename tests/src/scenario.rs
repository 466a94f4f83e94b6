//! What a SIPp does in a call, as the text of its scenario: who calls or answers, and what follows, step by step.
//!
//! ```text
//! caller:  INVITE … 200, ACK, then the steps      callee:  INVITE, 200, ACK, then the steps
//! ```
//!
//! Not here: how a SIPp is started (`peers.rs`).

/// Which side of the call the SIPp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It sends the INVITE, to +13125550100.
    Caller,
    /// It answers.
    Callee,
}

/// What a side does once the call is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Waits for as long as SIPp's `-d` says.
    Stays,
    /// Waits for so many milliseconds.
    Pauses(u32),
    /// Puts the other on hold: a re-INVITE.
    Holds,
    /// Is put on hold, and answers.
    IsHeld,
    /// Ends the call.
    Ends,
    /// The call is ended by the other.
    IsEnded,
}

/// A side's scenario. `audio` is the port that its description names: a number, or SIPp's `[media_port]`.
///
/// A caller logs `audio at PORT` when it is told where the box listens.
#[must_use]
pub fn scenario(side: Side, audio: &str, steps: &[Step]) -> String {
    let opening = match side {
        Side::Caller => CALLS,
        Side::Callee => ANSWERS,
    };
    let steps: String = steps.iter().map(|step| text(side, *step)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"call\">\n{opening}{steps}</scenario>\n"
    )
    .replace("DESCRIPTION", DESCRIPTION)
    .replace("AUDIO", audio)
}

fn text(side: Side, step: Step) -> String {
    let parties = match side {
        Side::Caller => CALLER,
        Side::Callee => CALLEE,
    };
    let text = match step {
        Step::Stays => "<pause/>\n".to_owned(),
        Step::Pauses(time) => format!("<pause milliseconds=\"{time}\"/>\n"),
        Step::Holds => HOLDS.to_owned(),
        Step::IsHeld => IS_HELD.to_owned(),
        Step::Ends => ENDS.to_owned(),
        Step::IsEnded => IS_ENDED.to_owned(),
    };
    text.replace("PARTIES\n", parties)
}

const CALLS: &str = r#"  <send retrans="500"><![CDATA[
      INVITE sip:+13125550100@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:+12025550100@[local_ip]:[local_port]>;tag=[pid]c[call_number]
      To: <sip:+13125550100@[remote_ip]:[remote_port]>
      Call-ID: [call_id]
      CSeq: 1 INVITE
      Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>
      Max-Forwards: 70
DESCRIPTION
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rrs="true">
    <action>
      <ereg regexp="m=audio ([0-9]+)" search_in="body" check_it="true" assign_to="line,port"/>
      <log message="audio at [$port]"/>
    </action>
  </recv>
  <Reference variables="line"/>
  <send><![CDATA[
      ACK [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      [routes]
      From: <sip:+12025550100@[local_ip]:[local_port]>;tag=[pid]c[call_number]
      To: <sip:+13125550100@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
"#;

/// Answers with the route as it came.
const ANSWERS: &str = r#"  <recv request="INVITE" rrs="true">
    <action><ereg regexp=".*" search_in="hdr" header="From" assign_to="1"/></action>
  </recv>
  <Reference variables="1"/>
  <send retrans="500"><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_Record-Route:]
      [last_From:]
      [last_To:];tag=[pid]t[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>
DESCRIPTION
  ]]></send>
  <recv request="ACK"/>
"#;

const DESCRIPTION: &str = r#"      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=sipp 1 1 IN IP4 [local_ip]
      s=-
      c=IN IP4 [local_ip]
      t=0 0
      m=audio AUDIO RTP/AVP 0
      a=rtpmap:0 PCMU/8000"#;

/// Who it is from and to, in a request of the caller's.
const CALLER: &str = r#"      From: <sip:+12025550100@[local_ip]:[local_port]>;tag=[pid]c[call_number]
      To: <sip:+13125550100@[remote_ip]:[remote_port]>[peer_tag_param]
"#;

/// The same in a request of the callee's.
const CALLEE: &str = r#"      From: <sip:+13125550100@[local_ip]:[local_port]>;tag=[pid]t[call_number]
      To:[$1]
"#;

const HOLDS: &str = r#"  <send retrans="500"><![CDATA[
      INVITE [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      [routes]
PARTIES
      Call-ID: [call_id]
      CSeq: 2 INVITE
      Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
      Max-Forwards: 70
DESCRIPTION
      a=sendonly
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="200">
    <action><ereg regexp="m=audio [0-9]+" search_in="body" check_it="true" assign_to="again"/></action>
  </recv>
  <Reference variables="again"/>
  <send><![CDATA[
      ACK [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      [routes]
PARTIES
      Call-ID: [call_id]
      CSeq: 2 ACK
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
"#;

const IS_HELD: &str = r#"  <recv request="INVITE"/>
  <send retrans="500"><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
DESCRIPTION
      a=recvonly
  ]]></send>
  <recv request="ACK"/>
"#;

const ENDS: &str = r#"  <send retrans="500"><![CDATA[
      BYE [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      [routes]
PARTIES
      Call-ID: [call_id]
      CSeq: 3 BYE
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
  <recv response="200"/>
"#;

const IS_ENDED: &str = r#"  <recv request="BYE"/>
  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0
  ]]></send>
"#;
