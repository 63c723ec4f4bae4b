package dev.usher.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Reports the declared types of ids, and where each is declared. */
final class IdTypesFailureAnalyzer extends AbstractFailureAnalyzer<IdTypesException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, IdTypesException cause) {
        return new FailureAnalysis(cause.getMessage() + ".", cause.action(), cause);
    }
}
