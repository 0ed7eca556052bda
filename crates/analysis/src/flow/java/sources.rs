//! Where input enters.

/// Calls whose result is plainly from outside.
pub(super) const OUTSIDE_CALLS: &[&str] = &[
    "ZipEntry().getName",
    "JarEntry().getName",
    "ArchiveEntry().getName",
    "ZipArchiveEntry().getName",
    "TarArchiveEntry().getName",
    "TarEntry().getName",
    "MultipartFile().getOriginalFilename",
    "Part().getSubmittedFileName",
    "FileItem().getName",
    "Socket().getInputStream",
    "URLConnection().getInputStream",
    "HttpURLConnection().getInputStream",
    "URL().openStream",
    "Cookie().getValue",
    "HttpExchange().getRequestURI",
    "HttpExchange().getRequestBody",
    "request.getParameter",
    "req.getParameter",
    "request.getHeader",
    "req.getHeader",
    "request.getQueryString",
    "request.getCookies",
    "ExternalContext().getRequestParameterMap",
    "System.console().readLine",
    "Console().readLine",
];

/// Calls whose result says nothing of their arguments.
pub(super) const OPAQUE_CALLS: &[&str] = &[
    "Double.parseDouble",
    "Double.valueOf",
    "Float.parseFloat",
    "Boolean.parseBoolean",
    "Boolean.valueOf",
    "UUID.fromString",
    "UUID.randomUUID",
    "LocalDate.parse",
    "System.currentTimeMillis",
    "System.nanoTime",
    "Math.random",
    "Files.exists",
    "Files.size",
    "Files.isDirectory",
    "Files.isRegularFile",
    "Files.createTempFile",
    "Files.createTempDirectory",
    "File.createTempFile",
    "MessageDigest.isEqual",
    "Random().nextInt",
    "Random().nextLong",
    "Random().nextDouble",
    "Random().nextFloat",
    "ThreadLocalRandom().nextInt",
    "ThreadLocalRandom().nextLong",
    "SecureRandom().nextInt",
    "RandomStringUtils.randomAlphanumeric",
    "RandomStringUtils.randomAlphabetic",
    "RandomStringUtils.randomNumeric",
    "RandomStringUtils.random",
    "Class.getResource",
    "PreparedStatement().executeQuery",
    "PreparedStatement().executeUpdate",
];

/// Annotations of a function that a web request calls, or of its parameters.
pub(super) const ROUTES: &[&str] = &[
    "@RequestMapping",
    "@GetMapping",
    "@PostMapping",
    "@PutMapping",
    "@DeleteMapping",
    "@PatchMapping",
    "@RequestParam",
    "@PathVariable",
    "@RequestBody",
    "@RequestHeader",
    "@CookieValue",
    "@ModelAttribute",
    "@MatrixVariable",
    "@RequestPart",
    "@QueryParam",
    "@PathParam",
    "@FormParam",
    "@HeaderParam",
    "@CookieParam",
    "@GET",
    "@POST",
    "@PUT",
    "@DELETE",
    "@QueryParameter",
    "@MessageMapping",
    "@OnMessage",
    "@QueryValue",
];

/// Whether a parameter is plainly from outside, by its name and its type.
pub(super) fn is_outside_parameter(name: &str, kind: Option<&str>) -> bool {
    match kind.map(|kind| kind.rsplit('.').next().unwrap_or(kind)) {
        Some(
            "HttpServletRequest"
            | "ServletRequest"
            | "WebRequest"
            | "NativeWebRequest"
            | "HttpServerRequest"
            | "HttpExchange"
            | "ServerHttpRequest"
            | "StaplerRequest"
            | "MultipartFile"
            | "ContainerRequestContext"
            | "Part"
            | "ServerRequest"
            | "RoutingContext",
        ) => true,
        Some("String[]" | "String...") => name == "args",
        _ => false,
    }
}
