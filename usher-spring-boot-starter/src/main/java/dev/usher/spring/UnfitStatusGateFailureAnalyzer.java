package dev.usher.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Reports which type an application's own status gate must have. */
final class UnfitStatusGateFailureAnalyzer extends AbstractFailureAnalyzer<UnfitStatusGateException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, UnfitStatusGateException cause) {
        return new FailureAnalysis(
                "The bean 'usherStatusGate' replaces the status gate of usher, but is not a Customizer<HttpSecurity>. Spring Security"
                        + " does not apply it, so that there would be no gate.",
                "Declare it as Customizer<HttpSecurity>, which adds a filter to each chain, or give the bean another name. To have no"
                        + " gate, set usher.web.status-gate.enabled=false.",
                cause);
    }
}
