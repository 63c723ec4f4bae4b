package dev.usher.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A second JVM with the class path of this one; the two exchange lines. It ends with {@link #close}. Not thread-safe. */
final class JavaProcess implements AutoCloseable {

    private static final int PATIENCE_SECONDS = 20;

    private final Process process;
    private final PrintStream commands;
    private final BufferedReader answers;

    private JavaProcess(Process process) {
        this.process = process;
        this.commands = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
        this.answers = process.inputReader(StandardCharsets.UTF_8);
    }

    /**
     * Starts the JVM.
     *
     * @param options the arguments before the class
     * @param main the class to run
     * @param arguments the arguments after the class
     */
    static JavaProcess start(List<String> options, Class<?> main, List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add(main.getName());
        command.addAll(arguments);
        return new JavaProcess(new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start());
    }

    void send(String line) {
        commands.println(line);
    }

    /**
     * Waits for the next line of the JVM.
     *
     * @throws IOException if the JVM has ended instead
     */
    String receive() throws IOException {
        String line = answers.readLine();
        if (line == null) {
            throw new IOException("the JVM " + process.pid() + " has ended");
        }
        return line;
    }

    /** The processor time that the JVM has used, in nanoseconds. */
    long processorNanos() {
        return process.info().totalCpuDuration().orElseThrow().toNanos();
    }

    @Override
    public void close() {
        commands.close();
        try {
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
