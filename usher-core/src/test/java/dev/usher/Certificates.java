package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** A certificate of an authority of a test's own, as PEM files. */
record Certificates(Path authority, Path certificate, Path key) {

    private static final String PASSWORD = "changeit";

    /**
     * One that holds.
     *
     * @param subject the name or address of the server, as in {@code ip:127.0.0.1} or {@code dns:localhost}
     */
    static Certificates valid(Path directory, String subject) throws Exception {
        return of(directory, subject, "-validity", "2");
    }

    /** One of 127.0.0.1 that has expired. */
    static Certificates expired(Path directory) throws Exception {
        return of(directory, "ip:127.0.0.1", "-startdate", "-3d", "-validity", "1");
    }

    private static Certificates of(Path directory, String subject, String... time)
            throws IOException, InterruptedException, GeneralSecurityException {
        Path store = Files.createTempDirectory(directory, "keys").resolve("keys.p12");
        keytool(store, List.of("-alias", "authority", "-dname", "CN=authority", "-ext", "bc:c", "-validity", "2"));
        List<String> arguments = new ArrayList<>(
                List.of("-alias", "redis", "-dname", "CN=redis", "-ext", "san=" + subject, "-signer", "authority"));
        arguments.addAll(List.of(time));
        keytool(store, arguments);
        KeyStore keys = KeyStore.getInstance(store.toFile(), PASSWORD.toCharArray());
        return new Certificates(
                pem(directory, "CERTIFICATE", keys.getCertificate("authority").getEncoded()),
                pem(directory, "CERTIFICATE", keys.getCertificate("redis").getEncoded()),
                pem(
                        directory,
                        "PRIVATE KEY",
                        keys.getKey("redis", PASSWORD.toCharArray()).getEncoded()));
    }

    private static void keytool(Path store, List<String> arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-J-XX:TieredStopAtLevel=1",
                "-genkeypair",
                "-keyalg",
                "EC",
                "-storetype",
                "PKCS12",
                "-storepass",
                PASSWORD,
                "-keystore",
                store.toString()));
        command.addAll(arguments);
        Process keytool = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(keytool.waitFor()).as(output).isZero();
    }

    private static Path pem(Path directory, String what, byte[] encoded) throws IOException {
        return Files.writeString(
                Files.createTempFile(directory, "key", ".pem"),
                "-----BEGIN " + what + "-----\n" + Base64.getMimeEncoder().encodeToString(encoded) + "\n-----END "
                        + what + "-----\n");
    }
}
