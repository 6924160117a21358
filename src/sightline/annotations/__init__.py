"""Caption files of every form: who said what about which photo."""
