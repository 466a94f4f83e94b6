//! Every word that a page says, in each language beside the others: what is missing in one does not compile.
//!
//! Not here: what the API says, which is English, for programs.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use crate::access::cookie;

/// The cookie in which a browser keeps its choice.
pub(crate) const LANGUAGE_COOKIE: &str = "language";

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Portuguese,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Portuguese];

    /// As HTML and HTTP name it.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Portuguese => "pt-BR",
        }
    }

    /// As it calls itself.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Portuguese => "Português",
        }
    }

    pub(crate) const fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Portuguese => &PORTUGUESE,
        }
    }

    pub(crate) fn tagged(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// The one that a browser has chosen, or that its user prefers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if let Some(chosen) = cookie(headers, LANGUAGE_COOKIE).and_then(Self::tagged) {
            return chosen;
        }
        let preferred = headers.get(ACCEPT_LANGUAGE);
        let preferred = preferred.and_then(|preferred| preferred.to_str().ok());
        let languages = preferred.unwrap_or_default().split(',');
        languages
            .filter_map(|language| match language.trim().get(..2) {
                Some("en") => Some(Self::English),
                Some("pt") => Some(Self::Portuguese),
                _ => None,
            })
            .next()
            .unwrap_or(Self::English)
    }
}

macro_rules! words {
    ($($name:ident: $english:literal, $portuguese:literal;)+) => {
        /// The words of one language.
        pub(crate) struct Words {
            $(pub(crate) $name: &'static str,)+
        }

        const ENGLISH: Words = Words { $($name: $english,)+ };
        const PORTUGUESE: Words = Words { $($name: $portuguese,)+ };
    };
}

words! {
    action: "Action", "Ação";
    add: "Add", "Adicionar";
    address: "Address", "Endereço";
    admin: "Admin", "Administrador";
    audit: "Audit", "Auditoria";
    author: "Author", "Autor";
    back_by_itself: "Unless it is confirmed, the configuration before comes back by itself:", "Se não for confirmada, a configuração anterior volta sozinha:";
    began: "Began", "Início";
    by: "By", "Por";
    call: "Call", "Chamada";
    called: "Called", "Destino";
    caller: "Caller", "Origem";
    calls: "Calls", "Chamadas";
    calls_last_hour: "Calls over the last hour", "Chamadas na última hora";
    changes: "What changes", "O que muda";
    check: "Check and compare", "Verificar e comparar";
    comment: "Why (for whoever looks at it later)", "Por quê (para quem olhar depois)";
    commit: "Bring into force", "Colocar em vigor";
    configuration: "Configuration", "Configuração";
    confirm: "Keep it", "Manter";
    confirm_within: "Undo by itself unless confirmed within", "Desfazer sozinho se não for confirmado em";
    connections: "Connections", "Conexões";
    control_away: "Control does not answer. Calls in progress keep their audio; it is being started again.", "O controle não responde. As chamadas em curso mantêm o áudio; ele está sendo reiniciado.";
    document: "Document", "Documento";
    download_capture: "Capture (pcapng)", "Captura (pcapng)";
    download_text: "Text", "Texto";
    duration: "Duration", "Duração";
    end: "End", "Encerrar";
    ended_so: "Ended", "Terminou";
    explain: "Explain", "Explicar";
    explain_lead: "Which way would a call take at this moment, and why?", "Que caminho uma chamada tomaria agora, e por quê?";
    faults: "Faults", "Erros";
    from_trunk: "From trunk", "Do tronco";
    gap: "…", "…";
    hang_up: "Hang up", "Desligar";
    history: "History", "Histórico";
    home: "Overview", "Visão geral";
    in_force: "in force", "em vigor";
    ladder: "Ladder", "Diagrama";
    language: "Language", "Idioma";
    leg: "Leg", "Perna";
    legs: "Legs", "Pernas";
    live: "Live calls", "Chamadas ao vivo";
    media: "Media", "Mídia";
    media_down: "not there", "ausente";
    media_up: "there", "presente";
    message: "Message", "Mensagem";
    minutes: "minutes", "minutos";
    missing: "Parts of this call are no longer kept.", "Partes desta chamada já não são guardadas.";
    mos: "MOS", "MOS";
    name: "Name", "Nome";
    never_mind: "Take it back", "Desfazer";
    next_page: "Older", "Mais antigas";
    no_calls: "No calls at the moment.", "Nenhuma chamada no momento.";
    no_changes: "Nothing changes.", "Nada muda.";
    no_history: "No call was found.", "Nenhuma chamada encontrada.";
    not_confirm: "no need to confirm", "sem confirmação";
    number: "Number", "Número";
    operator: "Operator", "Operador";
    password: "Password", "Senha";
    password_hint: "At least ten characters.", "Pelo menos dez caracteres.";
    place: "Place", "Lugar";
    ports: "Media ports", "Portas de mídia";
    problem: "Problem", "Problema";
    programs: "Programs (API tokens)", "Programas (tokens da API)";
    remove: "Remove", "Remover";
    role: "Role", "Papel";
    roll_back: "Bring back", "Restaurar";
    search: "Search", "Procurar";
    search_hint: "Number, trunk, tenant or Call-ID", "Número, tronco, cliente ou Call-ID";
    seconds: "s", "s";
    sessions: "Sessions", "Sessões";
    set_up: "Set up", "Instalar";
    set_up_lead: "Nobody has entered this box before. Its set-up code is shown on its own console, and in the first lines of its log.", "Ninguém entrou neste equipamento ainda. O código de instalação aparece no console do equipamento e nas primeiras linhas do log.";
    setup_code: "Set-up code", "Código de instalação";
    show_message: "Show the message", "Mostrar a mensagem";
    sign_in: "Sign in", "Entrar";
    sign_out: "Sign out", "Sair";
    since: "Since", "Desde";
    skip: "Skip to the content", "Ir para o conteúdo";
    something_wrong: "That did not work", "Não funcionou";
    stage: "Stage", "Estado";
    tenant: "Tenant", "Cliente";
    tenant_admin: "Tenant admin", "Administrador do cliente";
    time: "Time (UTC)", "Hora (UTC)";
    to_trunk: "To trunk", "Para o tronco";
    token_once: "The program shows this token. It is told this once:", "O programa usa este token. Ele só aparece uma vez:";
    trunk: "Trunk", "Tronco";
    user: "User", "Usuário";
    users: "Users", "Usuários";
    version: "Version", "Versão";
    versions: "Versions", "Versões";
    viewer: "Viewer", "Leitor";
    waits: "This version waits to be confirmed.", "Esta versão aguarda confirmação.";
    warnings: "To be known", "Avisos";
    what: "What", "O quê";
    when: "When (UTC)", "Quando (UTC)";
    who: "Who", "Quem";
    wrong_password: "Name or password is wrong.", "Nome ou senha incorretos.";
    you: "You", "Você";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().expect("a value"))])
    }

    #[test]
    fn a_browser_gets_the_language_it_prefers_or_has_chosen() {
        let preferred = |value| Language::of(&headers(ACCEPT_LANGUAGE, value));
        assert_eq!(preferred("pt-BR,pt;q=0.9,en;q=0.8"), Language::Portuguese);
        assert_eq!(preferred("de, en-GB"), Language::English);
        assert_eq!(preferred("ü"), Language::English);
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
        let cookie = headers(axum::http::header::COOKIE, "language=pt-BR");
        assert_eq!(Language::of(&cookie), Language::Portuguese);
    }
}
