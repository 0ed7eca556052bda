//! What the type of a parameter says about it.

use crate::flow::classes::Classes;

/// Whether a parameter of this type is what came in with a request.
pub(super) fn is_outside(kind: &str) -> bool {
    matches!(
        kind,
        "http.Request"
            | "gin.Context"
            | "echo.Context"
            | "fiber.Ctx"
            | "iris.Context"
            | "context.Ctx"
            | "fasthttp.RequestCtx"
            | "httprouter.Params"
            | "events.APIGatewayProxyRequest"
            | "events.APIGatewayV2HTTPRequest"
            | "restful.Request"
            | "web.Context"
            | "macaron.Context"
            | "multipart.FileHeader"
            | "revel.Request"
    )
}

/// Types whose values cannot hold a text that somebody chose.
const HARMLESS: &[&str] = &[
    "bool",
    "error",
    "float32",
    "float64",
    "http.ResponseWriter",
    "http.Handler",
    "http.HandlerFunc",
    "http.Client",
    "http.Server",
    "http.ServeMux",
    "http.Transport",
    "context.Context",
    "sql.DB",
    "sql.Tx",
    "sql.Conn",
    "sql.Stmt",
    "gorm.DB",
    "sqlx.DB",
    "pgxpool.Pool",
    "pgx.Conn",
    "redis.Client",
    "mongo.Collection",
    "mongo.Database",
    "mongo.Client",
    "testing.T",
    "testing.B",
    "log.Logger",
    "slog.Logger",
    "zap.Logger",
    "zap.SugaredLogger",
    "logrus.Logger",
    "tls.Config",
    "tls.Conn",
    "net.Conn",
    "net.Listener",
    "template.Template",
    "regexp.Regexp",
    "io.Writer",
    "os.FileMode",
    "fs.FileMode",
    "os.FileInfo",
    "sync.WaitGroup",
    "sync.Mutex",
    "time.Duration",
    "time.Time",
    "rsa.PrivateKey",
    "rsa.PublicKey",
    "ecdsa.PrivateKey",
    "uuid.UUID",
    "url.Userinfo",
    "ldap.Conn",
    "ssh.Client",
    "ssh.Session",
    "xpath.Expr",
    "jwt.Token",
    "struct{}",
];

/// In which classes a parameter of this type can do harm.
pub(super) fn parameter_classes(kind: Option<&str>) -> Classes {
    match kind {
        Some(kind) if HARMLESS.contains(&kind) || kind.starts_with("chan ") || kind.starts_with("func(") => {
            Classes::NONE
        }
        Some(
            "int" | "int8" | "int16" | "int32" | "int64" | "uint" | "uint8" | "uint16" | "uint32" | "uint64" | "byte"
            | "rune" | "uintptr",
        ) => Classes::SIZE,
        _ => Classes::ALL,
    }
}
