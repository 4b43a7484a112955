from mlserverless.cli import main

main()
