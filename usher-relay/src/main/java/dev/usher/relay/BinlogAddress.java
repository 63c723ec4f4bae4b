package dev.usher.relay;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A JDBC URL of MariaDB or MySQL, and what the reader of the binlog has to know of it. It is never quoted, for it may hold a password. Immutable. */
final class BinlogAddress {

    private static final Pattern URL =
            Pattern.compile("jdbc:(?<product>mariadb|mysql)://(?<host>[^/:?,@()\\[\\]]+|\\[[^\\]]+])"
                    + "(:(?<port>\\d{1,5}))?/(?<database>[^/?]+)(\\?(?<query>.*))?");

    /** Parameters of TLS that the reader of the binlog does not know. */
    private static final Set<String> UNKNOWN = Set.of(
            "keystore",
            "keystorepassword",
            "keypassword",
            "clientcertificatekeystoreurl",
            "clientcertificatekeystorepassword",
            "servicecertificatekeystoreurl",
            "sslcontextfactory",
            "tlssockettype",
            "credentialtype");

    /** How the connection is secured. */
    enum Tls {
        NONE,
        IF_OFFERED,
        ENCRYPTED,
        VERIFY_CA,
        VERIFY_HOST
    }

    private final String url;
    private final Matcher parts;
    private final Map<String, String> parameters;
    private final Tls tls;

    /**
     * Of a URL.
     *
     * @throws IllegalArgumentException when it is no such URL, names several hosts, or asks for what the reader cannot do
     */
    BinlogAddress(String url) {
        this.url = url;
        this.parts = URL.matcher(url);
        if (!parts.matches()) {
            throw new IllegalArgumentException(
                    "the URL of the database is to be like jdbc:mariadb://host:3306/database or"
                            + " jdbc:mysql://host:3306/database, with one host");
        }
        this.parameters = parametersOf(parts.group("query"));
        for (String parameter : parameters.keySet()) {
            if (UNKNOWN.contains(parameter)) {
                throw new IllegalArgumentException(
                        "the reader of the binlog has no certificate of a client: take the parameter " + parameter
                                + " out of the URL, or give the relay a URL without it");
            }
        }
        if (isTrue("autoreconnect")) {
            throw new IllegalArgumentException("a relay has to notice that its connection is lost: take the parameter"
                    + " autoReconnect out of the URL, or give the relay a URL without it");
        }
        this.tls = tlsOf();
    }

    private static Map<String, String> parametersOf(@Nullable String query) {
        Map<String, String> parameters = new TreeMap<>();
        if (query != null) {
            for (String parameter : query.split("&")) {
                int equals = parameter.indexOf('=');
                if (equals > 0) {
                    parameters.put(
                            parameter.substring(0, equals).toLowerCase(Locale.ROOT),
                            URLDecoder.decode(parameter.substring(equals + 1), StandardCharsets.UTF_8));
                }
            }
        }
        return parameters;
    }

    private Tls tlsOf() {
        String mode = parameters.get("sslmode");
        if (mode == null) {
            boolean isAsked = isTrue("usessl") || isTrue("requiressl");
            if (isAsked) {
                boolean isTrusting =
                        isTrue("trustservercertificate") || (isMySql() && !isTrue("verifyservercertificate"));
                return isTrusting ? Tls.ENCRYPTED : isMySql() ? Tls.VERIFY_CA : Tls.VERIFY_HOST;
            }
            return isMySql() && !"false".equalsIgnoreCase(parameters.get("usessl")) ? Tls.IF_OFFERED : Tls.NONE;
        }
        return switch (mode.toLowerCase(Locale.ROOT).replace('_', '-')) {
            case "disable", "disabled", "false", "0" -> Tls.NONE;
            case "preferred" -> Tls.IF_OFFERED;
            case "trust", "required" -> Tls.ENCRYPTED;
            case "verify-ca" -> Tls.VERIFY_CA;
            case "verify-full", "verify-identity", "true", "1" -> Tls.VERIFY_HOST;
            default ->
                throw new IllegalArgumentException(
                        "the reader of the binlog does not know this sslMode: name disable, trust, verify-ca or verify-full");
        };
    }

    private boolean isTrue(String parameter) {
        String text = parameters.getOrDefault(parameter, "false");
        return text.isEmpty() || text.equalsIgnoreCase("true") || text.equals("1");
    }

    boolean isMySql() {
        return parts.group("product").equals("mysql");
    }

    String host() {
        return parts.group("host").replaceAll("[\\[\\]]", "");
    }

    int port() {
        String port = parts.group("port");
        return port == null ? 3306 : Integer.parseInt(port);
    }

    String database() {
        return URLDecoder.decode(parts.group("database"), StandardCharsets.UTF_8);
    }

    Tls tls() {
        return tls;
    }

    /** A parameter, by its name in lower case. */
    @Nullable String parameter(String name) {
        return parameters.get(name);
    }

    /** The driver would prefer the user and the password in the URL to those that were set. */
    String urlWithoutUser() {
        int query = url.indexOf('?');
        if (query < 0) {
            return url;
        }
        String rest = Arrays.stream(url.substring(query + 1).split("&"))
                .filter(parameter -> !parameter.matches("(?i)(user|password)(=.*)?"))
                .collect(Collectors.joining("&"));
        return url.substring(0, query) + (rest.isEmpty() ? "" : "?" + rest);
    }
}
