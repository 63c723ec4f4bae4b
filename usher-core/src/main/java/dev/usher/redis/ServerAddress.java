package dev.usher.redis;

import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A server by its host and port. Two spellings of one IP address are equal; a host name and its IP address are not, for that would take a
 * look-up.
 *
 * @param host a name in lower case, or an IP address without brackets
 * @param port from 1 to 65535
 */
record ServerAddress(String host, int port) {

    private static final int HIGHEST_PORT = 65_535;

    ServerAddress {
        if (host.isBlank() || port < 1 || port > HIGHEST_PORT) {
            throw new IllegalArgumentException("no host and port");
        }
        InetAddress literal = NetUtil.createInetAddressFromIpAddressString(host);
        host = literal == null ? host.toLowerCase(Locale.ROOT) : NetUtil.toAddressString(literal);
    }

    /**
     * Parses {@code host}, {@code host:port}, {@code [::1]} or {@code [::1]:port}.
     *
     * @throws IllegalArgumentException when it is none of these; it is not quoted
     */
    static ServerAddress parse(String text, int defaultPort) {
        String trimmed = text.strip();
        int colon = trimmed.lastIndexOf(':');
        boolean bracketed = trimmed.startsWith("[");
        int end = trimmed.indexOf(']');
        if (bracketed && end == trimmed.length() - 1) {
            return ofLiteral(trimmed.substring(1, end), defaultPort);
        }
        if (bracketed && colon == end + 1) {
            return ofLiteral(trimmed.substring(1, end), portOf(trimmed.substring(colon + 1)));
        }
        if (bracketed || colon != trimmed.indexOf(':')) {
            // An IPv6 address without brackets leaves open where its port begins.
            throw new IllegalArgumentException("an IPv6 address is written in brackets, as in [::1]:26379");
        }
        return colon < 0
                ? new ServerAddress(trimmed, defaultPort)
                : new ServerAddress(trimmed.substring(0, colon), portOf(trimmed.substring(colon + 1)));
    }

    private static ServerAddress ofLiteral(String host, int port) {
        if (!NetUtil.isValidIpV6Address(host)) {
            throw new IllegalArgumentException("no IPv6 address in the brackets");
        }
        return new ServerAddress(host, port);
    }

    private static int portOf(String text) {
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("a port is a number from 1 to " + HIGHEST_PORT, e);
        }
    }

    /** The address that a connection was made to, by the name that it was made by; {@code null} when it is no host and port. */
    static @Nullable ServerAddress of(@Nullable SocketAddress address) {
        return address instanceof InetSocketAddress inet
                ? new ServerAddress(inet.getHostString(), inet.getPort())
                : null;
    }

    /** Names are looked up by the client library, each time that it connects. */
    InetSocketAddress unresolved() {
        return InetSocketAddress.createUnresolved(host, port);
    }

    @Override
    public String toString() {
        return host.contains(":") ? "[" + host + "]:" + port : host + ":" + port;
    }
}
