package dev.usher.testkit;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * A small {@code sh} process that outlives this JVM for a moment, to end a server and remove its directory.
 *
 * <p>It reads from a pipe that only this JVM can write to. When the JVM ends, in whatever way, {@code kill -9} included,
 * the kernel closes the pipe and the guardian acts. {@link #dismiss} writes a line, and the guardian ends without acting.
 */
final class Guardian {
    // A frozen server must be continued to see any signal but KILL. The wait is bounded because a server whose new
    // parent does not reap it answers kill -0 for ever.
    private static final String SCRIPT = """
            trap '' HUP INT TERM
            read -r line && exit 0
            kill -s "$1" "$2"
            kill -s CONT "$2"
            waited=0
            while kill -s 0 "$2" && [ $waited -lt 15 ]; do
                sleep 1
                waited=$((waited + 1))
            done
            rm -rf "$3"
            """;

    private final Process shell;

    private Guardian(Process shell) {
        this.shell = shell;
    }

    /**
     * Watches over a server.
     *
     * @param ending the signal that ends the server and its children
     * @param directory removed, with all it holds, once the server has ended
     */
    static Guardian over(long pid, Signal ending, Path directory) {
        try {
            return new Guardian(new ProcessBuilder(
                            "sh", "-c", SCRIPT, "guardian", ending.name(), Long.toString(pid), directory.toString())
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start());
        } catch (IOException e) {
            throw new IllegalStateException("cannot start a guardian over process " + pid, e);
        }
    }

    /** Ends the guardian, because its server has ended already; a process id must not be held beyond that. */
    void dismiss() {
        try (OutputStream line = shell.getOutputStream()) {
            line.write("dismissed\n".getBytes(StandardCharsets.US_ASCII));
        } catch (IOException e) {
            // The guardian is gone already: killed from outside, there is nothing left to dismiss.
            shell.destroyForcibly();
        }
        ProcessExit.await(shell);
    }
}
