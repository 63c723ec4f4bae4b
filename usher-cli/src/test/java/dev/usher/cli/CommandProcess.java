package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** A command in a JVM of its own, with nothing of this one's environment that usher looks at. */
final class CommandProcess implements AutoCloseable {

    private static final long LIMIT_SECONDS = 120;

    private final Process process;
    private final BufferedReader output;
    private final Path errors;

    private CommandProcess(Process process, Path errors) {
        this.process = process;
        this.output = process.inputReader();
        this.errors = errors;
    }

    static CommandProcess start(Path directory, Map<String, String> environment, String... arguments)
            throws IOException {
        return start(UsherCommand.class, directory, environment, arguments);
    }

    static CommandProcess start(Class<?> program, Path directory, Map<String, String> environment, String... arguments)
            throws IOException {
        Path errors = directory.resolve("errors");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                // They start, and do little.
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                // As this JVM, whose digits are others than 0 to 9.
                "-Duser.language=ar",
                "-Duser.country=EG",
                "-cp",
                System.getProperty("java.class.path"),
                program.getName()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(errors.toFile());
        builder.environment().keySet().removeIf(name -> name.equals("PORT") || name.startsWith("USHER_"));
        builder.environment().putAll(environment);
        return new CommandProcess(builder.start(), errors);
    }

    /** Waits for the next line of the output, and returns the text behind its name. */
    String lineOf(String name) throws IOException {
        String line = output.readLine();
        assertThat(line).as(errors()).matches(name + "  +\\S.*");
        return line.substring(name.length()).strip();
    }

    /** Waits for a line of the output that has a text in it. */
    void awaitOutput(String text) {
        assertThat(output.lines().anyMatch(line -> line.contains(text)))
                .as(errors())
                .isTrue();
    }

    /** Waits for the end of the output. */
    String remainingOutput() {
        return output.lines().collect(Collectors.joining("\n"));
    }

    /** Its error output so far. */
    String errors() {
        try {
            return Files.readString(errors);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Asks it to end, as {@code kill} does. */
    void terminate() {
        // Not Process.destroy, which closes the output as well.
        process.toHandle().destroy();
    }

    /** Waits for its end. */
    int exitCode() throws InterruptedException {
        assertThat(process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
