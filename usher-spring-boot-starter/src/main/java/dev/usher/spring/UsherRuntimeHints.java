package dev.usher.spring;

import dev.usher.Facet;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import org.jspecify.annotations.Nullable;
import org.springframework.aot.hint.BindingReflectionHintsRegistrar;
import org.springframework.aot.hint.RuntimeHints;
import org.springframework.aot.hint.RuntimeHintsRegistrar;
import org.springframework.beans.factory.aot.BeanRegistrationAotContribution;
import org.springframework.beans.factory.aot.BeanRegistrationAotProcessor;
import org.springframework.beans.factory.support.RegisteredBean;

/**
 * What a native image must keep for the caches: the scripts, and the members of the facets' values that Jackson uses, an
 * application's own facets included.
 */
final class UsherRuntimeHints implements RuntimeHintsRegistrar, BeanRegistrationAotProcessor {

    private final BindingReflectionHintsRegistrar binding = new BindingReflectionHintsRegistrar();

    @Override
    public void registerHints(RuntimeHints hints, @Nullable ClassLoader classLoader) {
        hints.resources().registerPattern("dev/usher/redis/*.lua");
        binding.registerReflectionHints(hints.reflection(), UserProfile.class, UserStatus.class);
    }

    @Override
    public @Nullable BeanRegistrationAotContribution processAheadOfTime(RegisteredBean bean) {
        Class<?> values = bean.getBeanType().as(Facet.class).getGeneric(0).resolve();
        return values == null
                ? null
                : (generation, code) -> binding.registerReflectionHints(
                        generation.getRuntimeHints().reflection(), values);
    }
}
