package dev.usher.relay;

import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A JDBC URL of MariaDB or MySQL, and what the reader of the binlog has to know of it. It is never quoted, for it may hold a password. Immutable. */
final class BinlogAddress {

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

    private final JdbcAddress address;
    private final Tls tls;

    /**
     * Of a URL.
     *
     * @throws IllegalArgumentException when it is no such URL, names several hosts, or asks for what the reader cannot do
     */
    BinlogAddress(String url) {
        this(JdbcAddress.of(
                url,
                EnumSet.of(JdbcAddress.Kind.MARIADB, JdbcAddress.Kind.MYSQL),
                "jdbc:mariadb://host:3306/database or jdbc:mysql://host:3306/database"));
    }

    /**
     * Of the parts of such a URL.
     *
     * @throws IllegalArgumentException when it asks for what the reader cannot do
     */
    BinlogAddress(JdbcAddress parts) {
        this.address = parts;
        for (String parameter : address.parameters().keySet()) {
            if (UNKNOWN.contains(parameter.toLowerCase(Locale.ROOT))) {
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

    private Tls tlsOf() {
        String mode = address.parameter("sslMode");
        if (mode == null) {
            boolean isAsked = isTrue("usessl") || isTrue("requiressl");
            if (isAsked) {
                boolean isTrusting =
                        isTrue("trustservercertificate") || (isMySql() && !isTrue("verifyservercertificate"));
                return isTrusting ? Tls.ENCRYPTED : isMySql() ? Tls.VERIFY_CA : Tls.VERIFY_HOST;
            }
            return isMySql() && !"false".equalsIgnoreCase(address.parameter("useSsl")) ? Tls.IF_OFFERED : Tls.NONE;
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
        String text = address.parameters().getOrDefault(parameter, "false");
        return text.isEmpty() || text.equalsIgnoreCase("true") || text.equals("1");
    }

    JdbcAddress parts() {
        return address;
    }

    boolean isMySql() {
        return address.kind() == JdbcAddress.Kind.MYSQL;
    }

    String host() {
        return address.host();
    }

    int port() {
        return address.port();
    }

    String database() {
        return address.database();
    }

    Tls tls() {
        return tls;
    }

    /** A parameter, by its name in whatever case. */
    @Nullable String parameter(String name) {
        return address.parameter(name);
    }

    /** The driver would prefer the user and the password in the URL to those that were set. */
    String urlWithoutUser() {
        return address.withoutUser();
    }
}
