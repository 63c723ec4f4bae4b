package dev.usher.testkit;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A POSIX signal, sent with the {@code kill} that is built into every {@code sh}. */
enum Signal {
    /** Freezes a process; it keeps its memory and its sockets. Cannot be caught. */
    STOP,
    /** Continues a frozen process. */
    CONT,
    /** Ends a process at once, frozen or not. Cannot be caught. */
    KILL,
    /** Makes a PostgreSQL postmaster end its children and itself without a checkpoint. */
    QUIT;

    void sendTo(long pid) {
        sendTo(List.of(pid));
    }

    /** Sends the signal to every process of the list that still exists. */
    void sendTo(List<Long> pids) {
        if (pids.isEmpty()) {
            return;
        }
        List<String> command = new ArrayList<>(List.of("sh", "-c", "kill -s \"$0\" \"$@\"", name()));
        pids.forEach(pid -> command.add(pid.toString()));
        try {
            Process kill = new ProcessBuilder(command)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            // Without waiting, a caller could go on before the process is frozen.
            ProcessExit.await(kill);
        } catch (IOException e) {
            throw new IllegalStateException("cannot send " + this + " to " + pids, e);
        }
    }
}
