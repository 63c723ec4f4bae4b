package dev.usher.relay;

import com.github.shyiko.mysql.binlog.io.ByteArrayInputStream;
import com.github.shyiko.mysql.binlog.network.Authenticator;
import com.github.shyiko.mysql.binlog.network.ClientCapabilities;
import com.github.shyiko.mysql.binlog.network.ServerException;
import com.github.shyiko.mysql.binlog.network.protocol.ErrorPacket;
import com.github.shyiko.mysql.binlog.network.protocol.GreetingPacket;
import com.github.shyiko.mysql.binlog.network.protocol.PacketChannel;
import com.github.shyiko.mysql.binlog.network.protocol.command.DumpBinaryLogCommand;
import com.github.shyiko.mysql.binlog.network.protocol.command.QueryCommand;
import com.github.shyiko.mysql.binlog.network.protocol.command.SSLRequestCommand;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;

/**
 * A connection that is sent the events of a binlog, as a replica is. It has no memory and no thread of its own: the client of the library starts threads that
 * connect again by themselves, and logs events with their rows. Closed by any thread, otherwise confined to one.
 */
final class BinlogReader implements AutoCloseable {

    /** The server says so often that it has nothing new. */
    private static final int HEARTBEAT_MILLIS = 500;

    /** Without events and heartbeats for so long, the connection is taken for broken. */
    private static final int SILENCE_MILLIS = 8_000;

    private static final int CONNECT_MILLIS = 5_000;
    private static final int MAX_PACKET = 0xFF_FF_FF;
    private static final int MAX_EVENT = 1 << 30;
    private static final int ERROR = 0xFF;
    private static final int END = 0xFE;

    private final PacketChannel channel;

    private BinlogReader(PacketChannel channel) {
        this.channel = channel;
    }

    /**
     * Connects, and asks for the events from a place on. Whether the server sends them shows with the first {@link #next}.
     *
     * @param name of the file
     * @param offset of an event in it
     * @throws IOException when the server cannot be reached, or refuses; a {@link ServerException} has its code
     */
    static BinlogReader open(BinlogChangeFeed feed, String name, long offset) throws IOException {
        BinlogAddress address = feed.address();
        Socket socket = new Socket();
        try {
            socket.setTcpNoDelay(true);
            socket.setKeepAlive(true);
            socket.connect(new InetSocketAddress(address.host(), address.port()), CONNECT_MILLIS);
            socket.setSoTimeout(SILENCE_MILLIS);
            PacketChannel channel = new PacketChannel(socket);
            byte[] first = channel.read();
            requireNoError(first);
            GreetingPacket greeting = new GreetingPacket(first);
            secure(channel, greeting, address);
            String password = feed.password();
            new Authenticator(greeting, channel, null, feed.user(), password == null ? "" : password).authenticate();
            channel.authenticationComplete();
            BinlogReader reader = new BinlogReader(channel);
            // The server leaves out the checksums of a reader that does not know them, where it can; else it names
            // their kind.
            reader.run("SET @master_binlog_checksum = @@global.binlog_checksum");
            reader.run("SET @master_heartbeat_period = " + HEARTBEAT_MILLIS * 1_000_000L);
            reader.run("SET net_write_timeout = 60");
            if (!address.isMySql()) {
                reader.run("SET @mariadb_slave_capability = 4");
            }
            long serverId = (1L << 31) + ThreadLocalRandom.current().nextLong(1L << 30);
            channel.write(new DumpBinaryLogCommand(serverId, name, offset));
            return reader;
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    private static void secure(PacketChannel channel, GreetingPacket greeting, BinlogAddress address)
            throws IOException {
        boolean isOffered = (greeting.getServerCapabilities() & ClientCapabilities.SSL) != 0;
        if (address.tls() == BinlogAddress.Tls.NONE || (address.tls() == BinlogAddress.Tls.IF_OFFERED && !isOffered)) {
            return;
        }
        if (!isOffered) {
            throw new IOException("the server offers no TLS, and the URL asks for it");
        }
        SSLRequestCommand request = new SSLRequestCommand();
        request.setCollation(greeting.getServerCollation());
        channel.write(request);
        SSLContext context = contextOf(address);
        channel.upgradeToSSL(
                plain -> {
                    try {
                        SSLSocket secured = (SSLSocket)
                                context.getSocketFactory().createSocket(plain, address.host(), address.port(), true);
                        if (address.tls() == BinlogAddress.Tls.VERIFY_HOST) {
                            SSLParameters parameters = secured.getSSLParameters();
                            parameters.setEndpointIdentificationAlgorithm("HTTPS");
                            secured.setSSLParameters(parameters);
                        }
                        return secured;
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                },
                null);
    }

    private static SSLContext contextOf(BinlogAddress address) throws IOException {
        try {
            SSLContext context = SSLContext.getInstance("TLS");
            boolean isVerified =
                    address.tls() == BinlogAddress.Tls.VERIFY_CA || address.tls() == BinlogAddress.Tls.VERIFY_HOST;
            context.init(null, isVerified ? trusted(address) : new TrustManager[] {new AnyCertificate()}, null);
            return context;
        } catch (GeneralSecurityException e) {
            throw new IOException("TLS cannot be set up: " + e.getClass().getSimpleName(), e);
        }
    }

    private static TrustManager @Nullable [] trusted(BinlogAddress address)
            throws IOException, GeneralSecurityException {
        String certificate = address.parameter("serversslcert");
        String store = address.parameter("truststore");
        String password = address.parameter("truststorepassword");
        if (store == null) {
            store = address.parameter("trustcertificatekeystoreurl");
            password = address.parameter("trustcertificatekeystorepassword");
        }
        if (certificate == null && store == null) {
            return null; // those of the JVM
        }
        KeyStore keys = KeyStore.getInstance(KeyStore.getDefaultType());
        if (certificate != null) {
            keys.load(null, null);
            try (InputStream file = Files.newInputStream(pathOf(certificate))) {
                int number = 0;
                for (Certificate one : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
                    keys.setCertificateEntry("server-" + number++, one);
                }
            }
        } else {
            try (InputStream file = Files.newInputStream(pathOf(String.valueOf(store)))) {
                keys.load(file, password == null ? null : password.toCharArray());
            }
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(keys);
        return factory.getTrustManagers();
    }

    private static Path pathOf(String text) {
        return Path.of(text.replaceFirst("^file:(//)?", ""));
    }

    private void run(String statement) throws IOException {
        channel.write(new QueryCommand(statement));
        requireNoError(channel.read());
    }

    private static void requireNoError(byte[] packet) throws IOException {
        if (packet.length > 0 && (packet[0] & 0xFF) == ERROR) {
            throw errorOf(Arrays.copyOfRange(packet, 1, packet.length));
        }
    }

    private static ServerException errorOf(byte[] packet) throws IOException {
        ErrorPacket error = new ErrorPacket(packet);
        return new ServerException(error.getErrorMessage(), error.getErrorCode(), error.getSqlState());
    }

    /**
     * The next event, when it has arrived: its bytes, with the header, and perhaps with a checksum.
     *
     * @throws IOException when the connection is broken, is closed, or was silent for too long; or when the server ends the log, with a {@link ServerException}
     */
    byte[] next() throws IOException {
        ByteArrayInputStream input = channel.getInputStream();
        byte[] packet = new byte[0];
        int length;
        do {
            length = input.readInteger(3);
            input.skip(1); // its number
            if (packet.length + (long) length > MAX_EVENT) {
                throw new IOException("an event of the log is larger than " + MAX_EVENT + " bytes");
            }
            byte[] part = input.read(length);
            if (packet.length == 0) {
                packet = part;
            } else {
                byte[] longer = Arrays.copyOf(packet, packet.length + part.length);
                System.arraycopy(part, 0, longer, packet.length, part.length);
                packet = longer;
            }
        } while (length == MAX_PACKET);
        if (packet.length == 0) {
            throw new EOFException("an empty packet");
        }
        int marker = packet[0] & 0xFF;
        if (marker == ERROR) {
            throw errorOf(Arrays.copyOfRange(packet, 1, packet.length));
        }
        if (marker == END) {
            throw new EOFException("the server has ended the log");
        }
        return Arrays.copyOfRange(packet, 1, packet.length);
    }

    /** Whether more has arrived, as far as it can be known without waiting. */
    boolean hasMore() throws IOException {
        return channel.getInputStream().available() > 0;
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            // It is of no use any more.
        }
    }

    /** For a connection that is to be encrypted, whatever the server is. */
    private static final class AnyCertificate implements X509TrustManager {

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
