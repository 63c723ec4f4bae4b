package dev.usher.spring;

import dev.usher.UserProfile;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import org.springframework.beans.factory.BeanFactoryUtils;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.boot.autoconfigure.condition.ConditionMessage;
import org.springframework.boot.autoconfigure.condition.ConditionOutcome;
import org.springframework.boot.autoconfigure.condition.SpringBootCondition;
import org.springframework.context.annotation.ConditionContext;
import org.springframework.context.annotation.ConfigurationCondition;
import org.springframework.core.ParameterizedTypeReference;
import org.springframework.core.ResolvableType;
import org.springframework.core.type.AnnotatedTypeMetadata;

/** Matches if the application has a source of a facet's values, whatever the type of its ids. */
abstract class OnUserSourceCondition extends SpringBootCondition implements ConfigurationCondition {

    private final ResolvableType source;

    private OnUserSourceCondition(ParameterizedTypeReference<?> source) {
        this.source = ResolvableType.forType(source);
    }

    /** For a source of profiles. */
    static final class OfProfiles extends OnUserSourceCondition {

        OfProfiles() {
            super(new ParameterizedTypeReference<UserSource<?, UserProfile>>() {});
        }
    }

    /** For a source of statuses. */
    static final class OfStatuses extends OnUserSourceCondition {

        OfStatuses() {
            super(new ParameterizedTypeReference<UserSource<?, UserStatus>>() {});
        }
    }

    @Override
    public ConfigurationPhase getConfigurationPhase() {
        return ConfigurationPhase.REGISTER_BEAN;
    }

    @Override
    public ConditionOutcome getMatchOutcome(ConditionContext context, AnnotatedTypeMetadata metadata) {
        ConfigurableListableBeanFactory beans = context.getBeanFactory();
        String[] found = beans == null
                ? new String[0]
                : BeanFactoryUtils.beanNamesForTypeIncludingAncestors(beans, source, true, false);
        ConditionMessage.Builder message = ConditionMessage.forCondition("a bean of type " + source);
        return found.length == 0
                ? ConditionOutcome.noMatch(message.because("there is none"))
                : ConditionOutcome.match(
                        message.found("bean", "beans").items(ConditionMessage.Style.QUOTE, (Object[]) found));
    }
}
