package dev.usher;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A class of this test's class path that runs in a process of its own, and answers each line with a line. */
final class JavaProcess implements AutoCloseable {

    private final Process process;
    private final BufferedReader out;
    private final BufferedWriter in;

    private JavaProcess(Process process) {
        this.process = process;
        this.out = process.inputReader();
        this.in = process.outputWriter();
    }

    /**
     * Starts the process without waiting for it.
     *
     * @param log where its standard error goes
     */
    static JavaProcess start(Class<?> main, Path log, List<String> arguments) {
        return start(main, System.getProperty("java.class.path"), List.of(), log, arguments);
    }

    /** As the other, with a class path of its own. */
    static JavaProcess start(Class<?> main, String classPath, Path log, List<String> arguments) {
        return start(main, classPath, List.of(), log, arguments);
    }

    /** As the others, with a system property. */
    static JavaProcess start(Class<?> main, String property, String value, Path log, List<String> arguments) {
        return start(
                main, System.getProperty("java.class.path"), List.of("-D" + property + "=" + value), log, arguments);
    }

    private static JavaProcess start(
            Class<?> main, String classPath, List<String> options, Path log, List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-cp", classPath, "-Xmx256m", "-XX:+UseSerialGC"));
        // Up to eight processes start at once, and do little work.
        command.add("-XX:TieredStopAtLevel=1");
        command.addAll(options);
        command.add(main.getName());
        command.addAll(arguments);
        try {
            return new JavaProcess(new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
                    .start());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot run " + command, e);
        }
    }

    /** What a process says to each line. */
    @FunctionalInterface
    interface Answers {

        String to(String line) throws Exception;
    }

    /** In such a process: answers each line with a line, until there are no more. */
    static void answerLines(Answers answers) throws Exception {
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                System.out.println(answers.to(line));
            }
        }
    }

    long pid() {
        return process.pid();
    }

    /** Sends a line without waiting for the answer. */
    void tell(String line) {
        try {
            in.write(line + "\n");
            in.flush();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot tell " + process + ": " + line, e);
        }
    }

    /** The next answer. */
    String answer() {
        try {
            String line = out.readLine();
            if (line == null) {
                throw new IllegalStateException(process + " has ended; its log says why");
            }
            return line;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read from " + process, e);
        }
    }

    String ask(String line) {
        tell(line);
        return answer();
    }

    /**
     * Requires that {@link System#nanoTime()} means the same in that process, which answers {@code clock} with it: on Linux it does, elsewhere that is not
     * guaranteed.
     */
    void requireOneClock() {
        long before = System.nanoTime();
        long there = Long.parseLong(ask("clock"));
        if (there - before < 0 || System.nanoTime() - there < 0) {
            throw new IllegalStateException(process + " has another clock");
        }
    }

    /** Sends it a signal, such as STOP, which freezes it, and CONT. */
    void signal(String name) {
        try {
            int status = new ProcessBuilder("kill", "-" + name, Long.toString(pid()))
                    .start()
                    .waitFor();
            if (status != 0) {
                throw new IllegalStateException(process + " got no signal " + name);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot send a signal to " + process, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }

    /** Ends the input of the process. */
    void endInput() {
        try {
            in.close();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot close the input of " + process, e);
        }
    }

    /** Kills the process. */
    void kill() {
        process.destroyForcibly();
    }

    @Override
    public void close() {
        kill();
    }
}
