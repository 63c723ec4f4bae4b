package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class StateLinesTest {

    private final StateLines lines = new StateLines();
    private final List<String> printed = new ArrayList<>();

    @Test
    void aStateIsPrintedWhenItChanges() {
        say("starting", false, 0);
        say("starting", false, 1);
        say("following", true, 2);
        say("following", true, 3);
        assertThat(printed).containsExactly("starting", "following");
    }

    @Test
    void whatStaysBrokenIsPrintedAgainEachMinute() {
        for (int second = 0; second <= 150; second++) {
            say("broken: away", false, second);
        }
        for (int second = 151; second <= 400; second++) {
            say("following", true, second);
        }
        assertThat(printed).containsExactly("broken: away", "broken: away", "broken: away", "following");
    }

    @Test
    void aStateThatChangesAllTheTimeIsPrintedTenTimesAMinute() {
        for (int second = 0; second < 60; second++) {
            say(second % 2 == 0 ? "broken: away" : "standby", second % 2 != 0, second);
        }
        assertThat(printed).hasSize(10);
        say("standby", true, 60);
        say("standby", true, 61);
        assertThat(printed)
                .hasSize(11)
                .last()
                .isEqualTo("standby (50 changes of the state before it were not printed)");
    }

    private void say(String state, boolean isWell, int second) {
        String line = lines.next(state, isWell, TimeUnit.SECONDS.toNanos(second) - TimeUnit.MINUTES.toNanos(3));
        if (line != null) {
            printed.add(line);
        }
    }
}
