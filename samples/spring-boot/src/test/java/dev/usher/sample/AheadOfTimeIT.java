package dev.usher.sample;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.SpringApplicationAotProcessor;
import org.springframework.context.aot.AbstractAotProcessor.Settings;

/** The sample, processed as by {@code spring-boot:process-aot}, and started from the result in its own JVM. */
@Tag("thorough")
class AheadOfTimeIT {

    private static final Pattern PORT = Pattern.compile("Tomcat started on port (\\d+)");

    @TempDir
    private Path target;

    @Test
    void theSampleAnswersInAotMode() throws Exception {
        try (LocalServers servers = LocalServers.start()) {
            String[] arguments = servers.arguments("--server.port=0", "--usher.redis.command-timeout=5s");
            Path classes = process(arguments);
            Process sample = start(classes, arguments);
            try {
                List<String> log = new ArrayList<>();
                String site = "http://127.0.0.1:" + portOf(sample, log);

                assertThat(log).anyMatch(line -> line.contains("Starting AOT-processed SampleApplication"));
                assertThat(get(site + "/me").body()).contains("\"name\":\"Ann");
                assertThat(get(site + "/members/2").body()).contains("\"mobile\":\"138****0002\"");
                assertThat(get(site + "/members/1/badges").body()).isEqualTo("{\"karma\":120,\"title\":\"sage\"}");
            } finally {
                sample.destroy();
                sample.waitFor();
            }
        }
    }

    /** The folder of the classes that were generated and compiled. */
    private Path process(String[] arguments) throws IOException {
        Path sources = target.resolve("sources");
        Path classes = target.resolve("classes");
        Settings settings = Settings.builder()
                .sourceOutput(sources)
                .resourceOutput(classes)
                .classOutput(classes)
                .groupId("dev.usher")
                .artifactId("sample")
                .build();
        try {
            new SpringApplicationAotProcessor(SampleApplication.class, settings, arguments).process();
        } finally {
            System.clearProperty("spring.aot.processing");
        }
        List<String> command =
                new ArrayList<>(List.of("-nowarn", "-proc:none", "-parameters", "-d", classes.toString()));
        command.addAll(List.of("-cp", classes + File.pathSeparator + System.getProperty("java.class.path")));
        try (Stream<Path> files = Files.walk(sources)) {
            files.filter(file -> file.toString().endsWith(".java"))
                    .map(Path::toString)
                    .forEach(command::add);
        }
        int result = ToolProvider.getSystemJavaCompiler().run(null, null, null, command.toArray(String[]::new));
        assertThat(result).as("the result of compiling the generated sources").isZero();
        return classes;
    }

    private static Process start(Path classes, String[] arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Dspring.aot.enabled=true",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-cp",
                classes + File.pathSeparator + System.getProperty("java.class.path"),
                SampleApplication.class.getName()));
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command).redirectErrorStream(true).start();
    }

    /** The port of the sample. Collects the log up to that line, and discards the rest. */
    private static String portOf(Process sample, List<String> log) throws IOException {
        BufferedReader lines = sample.inputReader(StandardCharsets.UTF_8);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            log.add(line);
            Matcher port = PORT.matcher(line);
            if (port.find()) {
                Thread rest = new Thread(() -> lines.lines().forEach(unread -> {}), "log-of-the-sample");
                rest.setDaemon(true);
                rest.start();
                return port.group(1);
            }
        }
        throw new AssertionError("the sample did not start:\n" + String.join("\n", log));
    }

    private static HttpResponse<String> get(String address) throws Exception {
        String login = Base64.getEncoder().encodeToString("13800000001:anns password".getBytes(StandardCharsets.UTF_8));
        return HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create(address))
                                .header("Authorization", "Basic " + login)
                                .build(),
                        BodyHandlers.ofString());
    }
}
