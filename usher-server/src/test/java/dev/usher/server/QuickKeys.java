package dev.usher.server;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGeneratorSpi;
import java.security.Provider;
import java.security.SecureRandom;
import java.security.Security;
import java.security.interfaces.RSAPrivateCrtKey;
import java.security.spec.RSAPrivateCrtKeySpec;
import java.security.spec.RSAPublicKeySpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Makes RSA keys of 2048 bits from primes that are known already, each of two others. To look for primes takes up to two seconds of a
 * processor in a JVM without the second compiler, and the tests need some dozen keys.
 */
public final class QuickKeys extends KeyPairGeneratorSpi {

    private static final BigInteger EXPONENT = BigInteger.valueOf(65_537);
    private static final List<BigInteger[]> PAIRS = pairs();
    private static final AtomicInteger NEXT = new AtomicInteger();

    private static final AtomicReference<@Nullable CyclicBarrier> MEETING = new AtomicReference<>();
    private static final long PATIENCE_SECONDS = 60;

    /** Has the servers in this JVM make their keys so, too. */
    public static void install() {
        Security.insertProviderAt(new QuickProvider(), 1);
    }

    /**
     * Has the next keys of servers in this JVM wait for each other: callers that are to make a key at once do so, though it takes no time.
     *
     * @param keys how many
     */
    public static void meet(int keys) {
        MEETING.set(new CyclicBarrier(keys, () -> MEETING.set(null)));
    }

    @Override
    public void initialize(int bits, @Nullable SecureRandom random) {
        if (bits != 2048) {
            throw new IllegalArgumentException("only keys of 2048 bits, and not of " + bits);
        }
    }

    /** A key that no other call answers. */
    @Override
    public KeyPair generateKeyPair() {
        BigInteger[] primes = PAIRS.get(NEXT.getAndIncrement());
        BigInteger p = primes[0];
        BigInteger q = primes[1];
        BigInteger ofP = p.subtract(BigInteger.ONE);
        BigInteger ofQ = q.subtract(BigInteger.ONE);
        BigInteger d = EXPONENT.modInverse(ofP.multiply(ofQ));
        try {
            KeyFactory keys = KeyFactory.getInstance("RSA");
            RSAPrivateCrtKey key = (RSAPrivateCrtKey) keys.generatePrivate(new RSAPrivateCrtKeySpec(
                    p.multiply(q), EXPONENT, d, p, q, d.mod(ofP), d.mod(ofQ), q.modInverse(p)));
            return new KeyPair(keys.generatePublic(new RSAPublicKeySpec(key.getModulus(), EXPONENT)), key);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<BigInteger[]> pairs() {
        List<BigInteger> primes = primes();
        List<BigInteger[]> pairs = new ArrayList<>();
        for (int i = 0; i < primes.size(); i++) {
            for (int j = 0; j < i; j++) {
                pairs.add(new BigInteger[] {primes.get(i), primes.get(j)});
            }
        }
        return pairs;
    }

    private static List<BigInteger> primes() {
        try (InputStream file = QuickKeys.class.getResourceAsStream("primes.txt")) {
            return new String(Objects.requireNonNull(file).readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .filter(line -> !line.startsWith("#"))
                    .map(line -> new BigInteger(line, 16))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void await(CyclicBarrier meeting) {
        try {
            meeting.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (BrokenBarrierException | TimeoutException e) {
            throw new IllegalStateException("fewer keys were made at once than the test asked for", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private static final class QuickProvider extends Provider {

        QuickProvider() {
            super("quick-keys", "1", "RSA keys for tests");
            putService(new Service(this, "KeyPairGenerator", "RSA", QuickKeys.class.getName(), null, null) {
                @Override
                public Object newInstance(@Nullable Object parameter) {
                    CyclicBarrier meeting = MEETING.get();
                    if (meeting != null) {
                        await(meeting);
                    }
                    return new QuickKeys();
                }
            });
        }
    }
}
