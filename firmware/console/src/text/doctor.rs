//! Words of the doctor. What was seen and what to do is said in English, as the log does.
//!
//! Not here: what is examined (`crate::doctor`).

words! {
    again: "Examine again", "Examinar de novo";
    amber: "attention", "atenção";
    examine: "Examine the box", "Examinar o equipamento";
    green: "in order", "em ordem";
    lead: "Looks at names, certificates, trunks and ports, and says what to do about each red line. Takes some seconds.", "Verifica nomes, certificados, troncos e portas e diz o que fazer em cada linha vermelha. Leva alguns segundos.";
    light: "State", "Estado";
    red: "wrong", "errado";
    seen: "What was seen, and what to do", "O que foi visto e o que fazer";
    title: "Doctor", "Diagnóstico";
}
