package dev.layercake.cli;

import dev.layercake.kv.policy.Parameter;
import dev.layercake.kv.policy.Policies;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code layercake policies}: what may be written after {@code --kv}. */
@Command(name = "policies", description = "Lists the policies that --kv accepts, and their parameters.")
final class PoliciesCommand implements Callable<Integer> {
    private final Console console;

    @Option(names = "--json", description = "Print one JSON array instead.")
    boolean json;

    PoliciesCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (json) {
            Json.print(console.out(), Policies.all());
            return 0;
        }
        for (Policies.Description policy : Policies.all()) {
            console.out().println(policy.name());
            console.out().println("    " + policy.summary());
            for (Parameter parameter : policy.parameters()) {
                String initial = parameter.initial().isEmpty() ? "" : "=" + parameter.initial();
                console.out()
                        .printf(
                                "    %-22s %s; %s%n",
                                parameter.key() + initial, parameter.meaning(), parameter.range());
            }
        }
        console.out().println();
        console.out()
                .println("Write a policy as NAME or NAME(KEY=VALUE,...), for example cake(budget=1024,window=32).");
        return 0;
    }
}
