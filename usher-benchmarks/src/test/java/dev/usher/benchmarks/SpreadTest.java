package dev.usher.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SpreadTest {

    @Test
    void theMedianIsInTheMiddleAndATenthLiesOutsideOnEitherSide() {
        List<Double> figures =
                IntStream.rangeClosed(0, 100).mapToObj(i -> (double) (100 - i)).toList();

        assertThat(Spread.of(figures)).isEqualTo(new Spread(50, 10, 90));
    }

    @Test
    void betweenTwoFiguresItIsInterpolated() {
        assertThat(Spread.of(List.of(1.0, 2.0)).median()).isEqualTo(1.5);
    }

    @Test
    void oneFigureIsItsOwnSpread() {
        assertThat(Spread.of(List.of(7.0))).isEqualTo(new Spread(7, 7, 7));
    }

    @Test
    void aRatioIsTakenWithinARound() {
        // The machine was ten times slower in the second round, for both figures alike.
        assertThat(Spread.ofRatios(List.of(20.0, 2.0), List.of(10.0, 1.0))).isEqualTo(new Spread(2, 2, 2));
    }

    @Test
    void roundsThatDoNotBelongTogetherAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> Spread.ofRatios(List.of(1.0, 2.0), List.of(1.0)));
    }

    @Test
    void noFiguresHaveNoSpread() {
        assertThatIllegalArgumentException().isThrownBy(() -> Spread.of(List.of()));
    }

    @Test
    void aRatioStandsWithItsSpread() {
        assertThat(new Spread(1.049, 1.02, 1.126).asRatio()).isEqualTo("1.05 (1.02 to 1.13)");
    }
}
