package dev.usher.server.attempt;

import io.netty.util.NetUtil;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** The part of an address by which attempts are counted: an IPv4 address, or an IPv6 network of 64 bits. */
final class ClientAddress {

    /** A line or a site has at least a /64, with too many addresses to count each of them. */
    private static final int NETWORK_BYTES = 8;

    private ClientAddress() {}

    /**
     * The bytes that all addresses of a caller share.
     *
     * @param address as the connection or the proxy says it; a text that is not an address stands for itself
     */
    static byte[] network(String address) {
        // It parses addresses only, and looks up no name.
        byte[] bytes = NetUtil.createByteArrayFromIpAddressString(address);
        if (bytes == null) {
            return address.getBytes(StandardCharsets.UTF_8);
        }
        try {
            // An IPv4 address inside an IPv6 one becomes IPv4: as IPv6, all of them would be one network.
            InetAddress plain = InetAddress.getByAddress(bytes);
            return plain instanceof Inet6Address ? Arrays.copyOf(bytes, NETWORK_BYTES) : plain.getAddress();
        } catch (UnknownHostException e) {
            throw new IllegalStateException("an address has 4 or 16 bytes", e);
        }
    }
}
