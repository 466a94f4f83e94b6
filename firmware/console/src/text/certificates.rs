//! Words of the certificates.
//!
//! Not here: what is wrong with one, which is said in English, as the log does.

words! {
    archive: "PKCS#12 file (.p12, .pfx)", "Arquivo PKCS#12 (.p12, .pfx)";
    bring: "Bring a certificate with its key", "Instalar um certificado com a sua chave";
    chain: "Certificate, then those above it (PEM)", "Certificado, seguido dos superiores (PEM)";
    days: "days left", "dias restantes";
    dns: "DNS names", "Nomes DNS";
    file: "Or from a file", "Ou de um arquivo";
    hosts: "Shown for", "Apresentado para";
    install: "Install", "Instalar";
    issuer: "Signed by", "Assinado por";
    key: "Key (PEM). Empty: the key of the request, or the one in use", "Chave (PEM). Vazio: a chave da solicitação ou a que está em uso";
    kind: "Kind of key", "Tipo de chave";
    lead: "What this box shows to Teams and to trunks. A key that is made here never leaves the box.", "O que este equipamento apresenta ao Teams e aos troncos. Uma chave criada aqui nunca sai do equipamento.";
    links: "Certificates in the chain", "Certificados na cadeia";
    make: "Make a request", "Criar solicitação";
    names: "DNS names, one a line", "Nomes DNS, um por linha";
    none: "No certificate yet. Teams trunks need one.", "Nenhum certificado ainda. Troncos do Teams precisam de um.";
    request: "Ask an authority for a certificate", "Solicitar um certificado a uma autoridade";
    request_text: "Give this to your authority, and bring back what it signs", "Entregue isto à sua autoridade e traga de volta o que ela assinar";
    title: "Certificates", "Certificados";
    waits: "Waits for its certificate", "Aguarda o certificado";
    withdraw: "Take back", "Cancelar";
}
