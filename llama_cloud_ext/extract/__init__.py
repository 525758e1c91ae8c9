"""Extract: schemas in, validated models out, and every schema an agent tool."""
