package dev.usher.server.attempt;

import io.netty.util.NetUtil;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Who is taken for one caller when attempts are counted: an IPv4 address, or an IPv6 network of 64 bits. */
final class ClientAddress {

    /** A line or a site has a /64 at least, and with it more addresses than could ever be counted one by one. */
    private static final int NETWORK_BYTES = 8;

    private ClientAddress() {}

    /**
     * What is the same for all addresses of a caller.
     *
     * @param address as the connection or the proxy says it; a text that is no address is taken as it is
     */
    static byte[] network(String address) {
        // Only what is an address: nobody is looked up.
        byte[] bytes = NetUtil.createByteArrayFromIpAddressString(address);
        if (bytes == null) {
            return address.getBytes(StandardCharsets.UTF_8);
        }
        try {
            // An IPv4 address within an IPv6 one comes out as what it is: they would all be one network.
            InetAddress plain = InetAddress.getByAddress(bytes);
            return plain instanceof Inet6Address ? Arrays.copyOf(bytes, NETWORK_BYTES) : plain.getAddress();
        } catch (UnknownHostException e) {
            throw new IllegalStateException("an address has 4 or 16 bytes", e);
        }
    }
}
