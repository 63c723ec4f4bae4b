package dev.usher.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Reports how a table of users differs from its description. */
final class UnfitUsersTableFailureAnalyzer extends AbstractFailureAnalyzer<UnfitUsersTableException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, UnfitUsersTableException cause) {
        StringBuilder description = new StringBuilder("A table of users cannot be read as it is described:");
        cause.problems()
                .forEach(problem -> description
                        .append(System.lineSeparator())
                        .append("    - ")
                        .append(problem));
        return new FailureAnalysis(
                description.toString(),
                "Correct the settings, or the source, that are named above, or the table. If the table is only made after the"
                        + " start, set usher.jdbc.check-at-start=false: it is then checked before its first load.",
                cause);
    }
}
